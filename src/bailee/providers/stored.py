"""A provider out of JSON that was decoded already.

msgspec does not choose between two dataclasses, so the members are converted one by one and the
scheme is chosen here. A place scheme's JSON is the same as before there were others.
"""

from dataclasses import MISSING, fields
from typing import Any, Final, get_type_hints

import msgspec

from bailee.model import PlaceScheme, Provider, TemplateScheme

_TYPES: Final[dict[str, Any]] = get_type_hints(Provider)
_REQUIRED: Final = {
    each.name
    for each in fields(Provider)
    if each.default is MISSING and each.default_factory is MISSING
}


def provider_of(raw: object) -> Provider:
    """Make a provider of its JSON.

    Raises:
        msgspec.ValidationError: A member is missing or of another type. Surplus members are not
            noticed here.
    """
    if not isinstance(raw, dict) or not _REQUIRED <= raw.keys():
        raise msgspec.ValidationError("a provider has a member less than it must have")
    auth = raw["auth"]
    template = isinstance(auth, dict) and "message" in auth
    types = {**_TYPES, "auth": TemplateScheme if template else PlaceScheme}
    return Provider(
        **{name: msgspec.convert(raw[name], types[name]) for name in types if name in raw}
    )
