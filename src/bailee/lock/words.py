"""What was seen, in words for users."""

from bailee.lock.declaration import Declaration, Word
from bailee.model import Meaning

_ANSWERS = {
    Meaning.SERVED: "served",
    Meaning.ADDRESS: "refused for its address",
    Meaning.CREDENTIAL: "refused for the credential",
    Meaning.CREDENTIAL_OR_ADDRESS: "refused in words that may mean credential or address",
    Meaning.PERMISSION: "refused for a permission that the credential lacks",
    Meaning.LIMITED: "turned away by a rate limit or a ban",
    Meaning.UNCLEAR: "answered in a way that the provider's file does not explain",
}
_REMARKS = {
    Word.LACKING: "; the provider's report does not name our address",
    Word.UNRESTRICTED: "; the provider reports that it is not restricted to any address",
    Word.UNREADABLE: "; the provider's report can't be read",
}


def answer_in_words(meaning: Meaning | None, status: int | None, trouble: str) -> str:
    """Say how a probe was answered; `trouble` is why there is no meaning."""
    if meaning is None:
        return f"not answered ({trouble or 'no answer'})"
    return _ANSWERS[meaning] + ("" if status is None else f" (status {status})")


def clock_in_words(skew_seconds: float) -> str:
    """Say how far this machine's clock is from a provider's, which is ahead by `skew_seconds`."""
    way = "behind" if skew_seconds > 0 else "ahead of"
    return f"this machine's clock is {abs(skew_seconds):.0f} seconds {way} the provider's"


def report_remark(declaration: Declaration | None) -> str:
    """What a report adds to a reason that rests on something else; often nothing."""
    if declaration is None:
        return ""
    if declaration.word is Word.FOREIGN:
        noun = "address" if declaration.foreign == 1 else "addresses"
        return f"; the provider's report names {declaration.foreign} {noun} more that are not ours"
    return _REMARKS.get(declaration.word, "")
