"""The presets: providers' files that come with Bailee, one a provider, as `bailee provider add`
reads them. A preset is a proposal like any other file: it counts once it was approved."""

from importlib.resources import files

from bailee.errors import NotFound
from bailee.model import Provider
from bailee.providers.load import parse_provider

_SUFFIX = ".toml"


def list_presets() -> tuple[str, ...]:
    """Return the ids of all presets, sorted."""
    names = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def read_preset(id: str) -> str:
    """Return the text of a preset's file.

    Raises:
        NotFound: There is no preset of this id.
    """
    if id not in list_presets():
        raise NotFound("there is no such preset", "see 'bailee provider list --catalogue'")
    return (files(__name__) / f"{id}{_SUFFIX}").read_text(encoding="utf-8")


def load_preset(id: str) -> Provider:
    """Read a preset as the provider that it describes.

    Raises:
        NotFound: There is no preset of this id.
    """
    return parse_provider(read_preset(id), _no_ca)


def _no_ca(name: str) -> str:
    """Presets are of public APIs: none names a CA of its own."""
    raise FileNotFoundError(name)
