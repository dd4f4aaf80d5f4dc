"""Looking at the certificate that callers are shown."""

from collections.abc import Iterator

from bailee.config import TlsFiles
from bailee.errors import StartRefused
from bailee.operate.check import Check, fail, ok, warn
from bailee.tls.context import load_tls

ABOUT = "certificate"
_RENEW = "put a new one in its place, then: bailee config reload"


def look_at_tls(files: TlsFiles | None, now: float) -> Iterator[Check]:
    """Read certificate, key and CA as the gateway does; nothing where calls are plain.

    A key that fits none, or is open to others, keeps the gateway from starting. A certificate whose
    time is over does not; callers that verify it refuse it.
    """
    if files is None:
        return
    try:
        certificate = load_tls(files).certificate
    except StartRefused as refused:
        advice = refused.hint or "mend it: the gateway does not start with it"
        yield fail(ABOUT, refused.detail, advice)
        return
    concern = certificate.concern(now)
    if not certificate.is_valid(now):
        yield fail(ABOUT, f"{concern}: callers that verify it refuse it", _RENEW)
    elif concern:
        yield warn(ABOUT, concern, _RENEW)
    else:
        yield ok(ABOUT, f"its key fits, its pin is {certificate.pin_text}")
    if not certificate.names:
        yield warn(
            ABOUT,
            "it has no subject alternative name: callers that verify it refuse it",
            "have one issued for the name that callers use",
        )
