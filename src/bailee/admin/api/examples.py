"""Examples of what is sent and answered; the description of the API shows them."""

from typing import Any

from pydantic import ConfigDict

Example = dict[str, Any]


def examples(*shown: Example) -> ConfigDict:
    """Let a model show these."""
    return ConfigDict(json_schema_extra={"examples": list(shown)})
