"""One family of errors.

Every error says its code, its HTTP status, whose fault it is, what of the call had reached the
provider, and whether sending the call again may help. `http/problem.py` turns them into RFC 9457
documents; `docs/errors.md` is generated from the docstrings here.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar


class Fault(StrEnum):
    """Whose fault an error is, which is to say: who can mend it."""

    CALLER = "caller"
    OPERATOR = "operator"
    PROVIDER = "provider"
    BAILEE = "bailee"


class Reached(StrEnum):
    """What of a call had reached the provider when an error was raised."""

    NOTHING = "nothing"
    """Not one byte of the request was sent."""
    MAYBE = "maybe"
    """The request was sent, in part or whole; whether it was acted on is unknown."""


class BaileeError(Exception):
    """The root of the family; only its subclasses are raised.

    Args:
        detail: What happened, in one sentence in lower case without a full stop. It never holds
            a credential, a token or a byte that a stranger chose.
        hint: What to do about it, in the same form; empty when the detail says it all.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    fault: ClassVar[Fault]
    reached: Reached = Reached.NOTHING
    """What is so for this kind of error; an instance says more where more is known."""
    retryable: ClassVar[bool] = False
    retry_after: int | None = None
    """Seconds until asking again may help, where that is known; told as `Retry-After`."""
    members: Mapping[str, str | float] = MappingProxyType({})
    """What else the problem document says of an instance, for programs to read."""

    def __init__(self, detail: str = "", hint: str = "") -> None:
        self.detail = detail or self.title
        self.hint = hint
        super().__init__(self.detail)


# --- what a caller sends -------------------------------------------------------------------------


class MalformedRequest(BaileeError):
    """The request could be read in two ways, or is not HTTP/1.1. The connection is closed."""

    code, status, fault = "malformed-request", 400, Fault.CALLER
    title = "the request is not unambiguous HTTP/1.1"


class HeadTimeout(BaileeError):
    """The head of a request did not arrive before its deadline. The connection is closed."""

    code, status, fault, retryable = "head-timeout", 408, Fault.CALLER, True
    title = "the request head did not arrive in time"


class BodyTimeout(BaileeError):
    """The client stopped sending the body of its request. The connection is closed."""

    code, status, fault = "body-timeout", 408, Fault.CALLER
    reached, title = Reached.MAYBE, "the request body did not arrive in time"


class BodyTooLarge(BaileeError):
    """The body of a request is larger than it may be: of a call, or of the admin API (1 MiB)."""

    code, status, fault = "body-too-large", 413, Fault.CALLER
    title = "the request body is too large"


class HeadTooLarge(BaileeError):
    """The request line and headers together are larger than 32 KiB."""

    code, status, fault = "head-too-large", 431, Fault.CALLER
    title = "the request head is too large"


class MethodRefused(BaileeError):
    """CONNECT, TRACE and unknown methods are never relayed."""

    code, status, fault = "method-refused", 405, Fault.CALLER
    title = "this method is never relayed"


class PathRefused(BaileeError):
    """The path has dot segments, `//`, `;`, encoded slashes or bad escapes: it has two meanings."""

    code, status, fault = "path-refused", 400, Fault.CALLER
    title = "the path is ambiguous"


class ReservedParameter(BaileeError):
    """The caller sent a query parameter that the provider's auth scheme places itself."""

    code, status, fault = "reserved-parameter", 400, Fault.CALLER
    title = "a query parameter is reserved for the credential"


class UnsignableRequest(BaileeError):
    """The request can't be signed as the provider wants it: a parameter that the signature fills
    stands there twice, or the body is not of a form in which the signature's parts can stand."""

    code, status, fault = "unsignable-request", 400, Fault.CALLER
    title = "the request can't be signed"


class ExpectationRefused(BaileeError):
    """An `Expect` header other than `100-continue`."""

    code, status, fault = "expectation-refused", 417, Fault.CALLER
    title = "this expectation can't be met"


class Unauthenticated(BaileeError):
    """The token is missing, malformed, unknown, expired, revoked, or used from outside the
    caller's inbound allowlist. Which of these is not said to strangers; the log says it."""

    code, status, fault = "unauthenticated", 401, Fault.CALLER
    title = "a valid token is required"


class ConnectionNotFound(BaileeError):
    """There is no such connection, or the caller has no grant for it: the two look the same."""

    code, status, fault = "connection-not-found", 404, Fault.CALLER
    title = "no such connection for this caller"


class ConnectionRevoked(BaileeError):
    """The connection was revoked. It can't be used again; the user connects anew."""

    code, status, fault = "connection-revoked", 410, Fault.CALLER
    title = "the connection was revoked"


class SubjectMismatch(BaileeError):
    """`Bailee-Subject` names another subject than the connection's: the application's own mistake
    would have used one user's key for another."""

    code, status, fault = "subject-mismatch", 403, Fault.CALLER
    title = "the connection is not of this subject"


class LockRequired(BaileeError):
    """The tenant's gate asks for a lock that the connection does not have."""

    code, status, fault = "lock-required", 403, Fault.OPERATOR
    title = "the allowlist of the key is not proven"


class OnceUsed(BaileeError):
    """The key in `Bailee-Once` was given to an earlier call of this caller, which is named. Nothing
    of this one was sent, whatever its method, path and body."""

    code, status, fault = "once-used", 409, Fault.CALLER
    title = "the key of this call was used before"

    def __init__(self, first: str = "", hint: str = "") -> None:
        super().__init__(f"the key was used by the call {first}" if first else "", hint)
        self.members = {"first_call": first} if first else {}


class Denied(BaileeError):
    """The grant, or a rule of the provider, does not allow this method, path or body."""

    code, status, fault = "denied", 403, Fault.CALLER
    title = "this method, path or body is not allowed"


# --- what the operator must mend -----------------------------------------------------------------


class VaultClosed(BaileeError):
    """The root key is missing, unreadable or not the one that wrapped the tenants' keys."""

    code, status, fault, retryable = "vault-closed", 503, Fault.OPERATOR, True
    title = "the vault is closed"


class CredentialClosed(BaileeError):
    """The sealed credential does not open in its place: the provider's trust record was changed
    since it was entered, or the row was altered. The credential has to be entered again."""

    code, status, fault = "credential-closed", 503, Fault.OPERATOR
    title = "the credential does not open here"


class TrustBroken(BaileeError):
    """A signature of the authority is missing or wrong on a trust record, a pin set, a tenant's key
    or an egress address: someone else than the authority wrote it. Nothing is sent."""

    code, status, fault = "trust-broken", 503, Fault.OPERATOR
    title = "a signed record does not verify"


class ProviderNotApproved(BaileeError):
    """The provider or its pin set has not been approved yet."""

    code, status, fault = "provider-not-approved", 503, Fault.OPERATOR
    title = "the provider has no approved trust record or pin set"


class RouteChanged(BaileeError):
    """The connection's credential, pins, trust record or address changed while its call was being
    dialled. Nothing was sent; the next try goes by what holds now."""

    code, status, fault, retryable = "route-changed", 503, Fault.OPERATOR, True
    title = "what the call rests on was changed"


class NoEgressAddress(BaileeError):
    """The connection has no egress address that is published and that this node can dial from."""

    code, status, fault, retryable = "no-egress-address", 503, Fault.OPERATOR, True
    title = "no egress address for this call"


class EgressAddressMissing(BaileeError):
    """The egress address is configured, but is not on this machine. No other address is used."""

    code, status, fault, retryable = "egress-address-missing", 503, Fault.OPERATOR, True
    title = "the egress address is not on this machine"


class FeedUnavailable(BaileeError):
    """There is no address feed that the authority signed and that is still valid: none is shown."""

    code, status, fault, retryable = "feed-unavailable", 503, Fault.OPERATOR, True
    title = "no valid address feed"


class JournalUnavailable(BaileeError):
    """The intent could not be written. A call that can't be recorded is not made."""

    code, status, fault, retryable = "journal-unavailable", 503, Fault.OPERATOR, True
    title = "the call can't be recorded"


class StoreUnavailable(BaileeError):
    """The database does not answer, so that nobody can say whether the call is still allowed."""

    code, status, fault, retryable = "store-unavailable", 503, Fault.OPERATOR, True
    title = "the database does not answer"


class TooManyCalls(BaileeError):
    """So many calls of this caller are under way that it may not begin another one yet."""

    code, status, fault, retryable = "too-many-calls", 429, Fault.CALLER, True
    title = "too many calls of this caller are under way"
    retry_after = 1


class BudgetExhausted(BaileeError):
    """So many calls of this caller, of this connection or from this egress address to the provider
    have left that there is no room for one more yet. Nothing of it was sent."""

    code, status, fault, retryable = "budget-exhausted", 429, Fault.CALLER, True
    title = "the budget of calls is used up for now"


class ProviderLimited(BaileeError):
    """The provider told to wait, by a 429 or 418 or in its own words, and that time is not over.
    Nothing was sent: a call more would only prolong it."""

    code, status, fault, retryable = "provider-limited", 429, Fault.PROVIDER, True
    title = "the provider told to wait"


class Overloaded(BaileeError):
    """A cap is reached: connections, calls under way, or those to one provider."""

    code, status, fault, retryable = "overloaded", 503, Fault.OPERATOR, True
    title = "too many calls at once"


# --- what the provider, or whoever pretends to be it, did ----------------------------------------


class NameUnresolved(BaileeError):
    """The provider's name has no address of the egress address's family, or DNS did not answer."""

    code, status, fault, retryable = "name-unresolved", 502, Fault.PROVIDER, True
    title = "the provider's name has no usable address"


class AddressRefused(BaileeError):
    """The provider's name leads to a special-purpose address (private, loopback, metadata ...)."""

    code, status, fault = "address-refused", 502, Fault.OPERATOR
    title = "the provider's name leads to an address that is never dialled"


class ProviderUnreachable(BaileeError):
    """The connection to the provider was refused, reset or not made in time."""

    code, status, fault, retryable = "provider-unreachable", 502, Fault.PROVIDER, True
    title = "the provider can't be reached"


class CertificateRefused(BaileeError):
    """The TLS handshake failed, or one of the two verifiers refused the certificate chain."""

    code, status, fault = "certificate-refused", 502, Fault.PROVIDER
    title = "the provider's certificate is not valid"


class PinMismatch(BaileeError):
    """The chain is valid, but no certificate of it has an approved pin: perhaps a fake API.
    The connection was aborted before the TLS handshake was finished."""

    code, status, fault = "pin-mismatch", 502, Fault.PROVIDER
    title = "the provider's key is not the pinned one"


class ProviderTimeout(BaileeError):
    """The provider took the request and did not answer in time; a safe method may be repeated."""

    code, status, fault = "provider-timeout", 504, Fault.PROVIDER
    reached, retryable, title = Reached.MAYBE, True, "the provider did not answer in time"


class AnswerMalformed(BaileeError):
    """The provider's answer could be read in two ways. The connection to it was dropped."""

    code, status, fault, reached = "answer-malformed", 502, Fault.PROVIDER, Reached.MAYBE
    title = "the provider's answer is not unambiguous HTTP/1.1"


class AnswerLost(BaileeError):
    """The provider closed the connection before it answered a request that is safe to repeat."""

    code, status, fault = "answer-lost", 502, Fault.PROVIDER
    reached, retryable, title = Reached.MAYBE, True, "the provider did not answer"


class OutcomeUnknown(BaileeError):
    """A write was sent and no answer came. It may have been carried out: look, then repeat it."""

    code, status, fault = "outcome-unknown", 502, Fault.PROVIDER
    reached, title = Reached.MAYBE, "the write was sent and its outcome is unknown"


class ClientGone(BaileeError):
    """The client hung up before its call was answered. Only the journal ever tells this code."""

    code, status, fault = "client-gone", 499, Fault.CALLER
    reached, title = Reached.MAYBE, "the client hung up"


class FrameMalformed(BaileeError):
    """A client's WebSocket frames can't be read in one way, or a text of it is not UTF-8. The
    WebSocket is closed with 1002 or 1007."""

    code, status, fault = "frame-malformed", 400, Fault.CALLER
    reached, title = Reached.MAYBE, "the frames are not those of RFC 6455"


class MessageTooLarge(BaileeError):
    """A message of a WebSocket is larger than `gateway.websocket_message_bytes`. The WebSocket is
    closed with 1009."""

    code, status, fault = "message-too-large", 413, Fault.CALLER
    reached, title = Reached.MAYBE, "the message is too large"


class Draining(BaileeError):
    """This worker is about to leave, and its WebSockets are closed with 1001."""

    code, status, fault, retryable = "draining", 503, Fault.BAILEE, True
    reached, title = Reached.MAYBE, "this gateway is about to leave"


class InternalError(BaileeError):
    """A fault in Bailee itself. The log has the traceback under the call's id."""

    code, status, fault, reached = "internal-error", 500, Fault.BAILEE, Reached.MAYBE
    title = "bailee failed"


# --- what people type and administer -------------------------------------------------------------


class BadInput(BaileeError):
    """A value that someone typed or sent to the admin API is not of the right form."""

    code, status, fault = "bad-input", 422, Fault.CALLER
    title = "the input is not of the right form"


class NotFound(BaileeError):
    """What was named does not exist, or is not this token's to see."""

    code, status, fault = "not-found", 404, Fault.CALLER
    title = "no such thing"


class Conflict(BaileeError):
    """The thing exists already, or its state does not allow this step."""

    code, status, fault = "conflict", 409, Fault.CALLER
    title = "the state does not allow this"


class ProbingNotAccepted(BaileeError):
    """The provider's file calls it risky to try a credential from a decoy, the tenant has not
    accepted that, and the provider reports nothing of its own: nothing could be told. Nothing was
    sent."""

    code, status, fault = "probing-not-accepted", 409, Fault.CALLER
    title = "trying a credential from a decoy was not accepted"


class PreconditionFailed(BaileeError):
    """`If-Match` names another state of the thing than it has now: somebody changed it. Nothing was
    changed."""

    code, status, fault = "precondition-failed", 412, Fault.CALLER
    title = "the thing is not as the request supposes"


class KeyReused(BaileeError):
    """The `Idempotency-Key` was used within a day for another path or body. Nothing was done."""

    code, status, fault = "key-reused", 409, Fault.CALLER
    title = "the idempotency key belongs to another request"


class RequestUnderWay(BaileeError):
    """The same request with the same `Idempotency-Key` is under way, or ended without an answer, so
    that whether it was done is unknown. It was not done again."""

    code, status, fault, retryable = "request-under-way", 409, Fault.CALLER, True
    title = "the first request of this key has no answer yet"


class TokenShownOnce(BaileeError):
    """The request of this `Idempotency-Key` made a token, and its answer is not kept: a token is
    shown once. Nothing was done again."""

    code, status, fault = "token-shown-once", 409, Fault.CALLER
    title = "the token of this request was shown once"


class Forbidden(BaileeError):
    """The token is valid, but its role may not do this."""

    code, status, fault = "forbidden", 403, Fault.CALLER
    title = "this role may not do this"


class ConfigInvalid(BaileeError):
    """The configuration has faults; all of them are listed, and nothing was started."""

    code, status, fault = "config-invalid", 500, Fault.OPERATOR
    title = "the configuration is not valid"


class StartRefused(BaileeError):
    """A process refuses to start: port or directory in use, a user that can't read the code, or a
    certificate or key that can't be used."""

    code, status, fault = "start-refused", 500, Fault.OPERATOR
    title = "the process can't start"


class AdminUnreachable(BaileeError):
    """The CLI can't reach the admin API at `BAILEE_URL`."""

    code, status, fault, retryable = "admin-unreachable", 503, Fault.OPERATOR, True
    title = "the admin API can't be reached"


class GatewayUnreachable(BaileeError):
    """The CLI can't reach the gateway at `BAILEE_CALLS_URL`, or got no whole answer from it."""

    code, status, fault, retryable = "gateway-unreachable", 503, Fault.OPERATOR, True
    title = "the gateway can't be reached"


class CheckFailed(BaileeError):
    """A command looked at something (journal, installation) and found it not in order."""

    code, status, fault = "check-failed", 500, Fault.OPERATOR
    title = "the check found faults"
