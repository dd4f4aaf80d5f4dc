"""The admin API as the commands use it: JSON in and out, errors as our own errors."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from bailee.cli.wire import SECONDS, Answer, Place, Unreachable, ask
from bailee.errors import (
    AdminUnreachable,
    BadInput,
    BaileeError,
    InternalError,
    Unauthenticated,
)
from bailee.secret import Secret

PAGE_LIMIT = 500
_NO_QUERY: Mapping[str, str | int | None] = {}
_ERRORS = {error.code: error for error in BaileeError.__subclasses__()}


class AdminApi:
    """A client of the admin API at one place, with one token, for one tenant's things.

    Args:
        place: Where it listens.
        token: An operator's, an application's or an auditor's.
        tenant: Whose things are meant; None for the token's own tenant.
    """

    def __init__(self, place: Place, token: Secret, tenant: str | None = None) -> None:
        self.place = place
        self.tenant = tenant
        self._token = token

    def __repr__(self) -> str:
        return f"AdminApi({self.place})"

    def read(
        self, path: str, query: Mapping[str, str | int | None] = _NO_QUERY, seconds: float = SECONDS
    ) -> Any:
        """GET a document; query parameters that are None are left out.

        Raises:
            BaileeError: What the admin API answered, or AdminUnreachable.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path + ("?" + urlencode(given) if given else ""), None, seconds)

    def pages(self, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
        """GET a list, page by page."""
        after: str | None = None
        while True:
            page = self.read(path, {"after": after, "limit": PAGE_LIMIT, **query})
            yield from page["items"]
            after = page.get("next")
            if after is None:
                return

    def send(self, path: str, document: Mapping[str, object], seconds: float = SECONDS) -> Any:
        """POST a document and return the answer's."""
        return self._ask("POST", path, document, seconds)

    def change(self, path: str, document: Mapping[str, object]) -> Any:
        """PATCH what is at the path with the members that are named."""
        return self._ask("PATCH", path, document)

    def remove(self, path: str) -> Any:
        """DELETE what is at the path."""
        return self._ask("DELETE", path, None)

    def _ask(
        self,
        method: str,
        target: str,
        document: Mapping[str, object] | None,
        seconds: float = SECONDS,
    ) -> Any:
        try:
            bearer = self._token.reveal().decode("ascii")
        except UnicodeDecodeError:
            raise BadInput("the token holds characters that no token has") from None
        headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
        if self.tenant is not None:
            headers["Bailee-Tenant"] = self.tenant
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document).encode("ascii")
        try:
            answer = ask(self.place, method, target, headers, body, seconds)
        except Unreachable as error:
            raise AdminUnreachable(
                f"the admin API at {self.place} can't be reached: {error}",
                "start it with 'bailee serve', or set BAILEE_URL",
            ) from None
        if not 200 <= answer.status < 300:
            raise _error(answer)
        return _document(answer)


def named_error(document: Mapping[str, Any]) -> BaileeError:
    """Make an error of its code, detail and hint; one that is not known is an InternalError."""
    kind = _ERRORS.get(str(document.get("code")), InternalError)
    return kind(str(document.get("detail") or ""), str(document.get("hint") or ""))


def segment(text: str) -> str:
    """Encode what a person typed as one segment of a path."""
    if text in ("", ".", ".."):
        raise BadInput("an id or a name is missing")
    return quote(text, safe="")


def _document(answer: Answer) -> Any:
    try:
        return json.loads(answer.body) if answer.body else {}
    except ValueError:
        raise InternalError("the admin API's answer is not JSON", "is BAILEE_URL right?") from None


def _error(answer: Answer) -> BaileeError:
    """Turn a problem document back into the error that it was made of."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "code" not in document:
        return InternalError(
            f"the admin API answered {answer.status} without a reason", "is BAILEE_URL right?"
        )
    error = named_error(document)
    if isinstance(error, Unauthenticated):
        return Unauthenticated(
            "the admin API refused the token",
            "set BAILEE_TOKEN to a live one, such as that of DIR/operator.token",
        )
    return error
