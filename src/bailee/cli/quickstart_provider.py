"""Step 2 of `bailee quickstart`: what the API is, and where credentials may go."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from bailee.cli.provider_approval import approve_read
from bailee.cli.provider_source import read_source
from bailee.cli.provider_view import differences, summary
from bailee.cli.quickstart_guide import Stop
from bailee.cli.quickstart_run import Run
from bailee.errors import BadInput, NotFound, TrustBroken
from bailee.manage import providers
from bailee.manage.providers import ProviderStanding, ProviderState
from bailee.model import Provider, ProviderId
from bailee.operate.egress_checks import WRITER
from bailee.providers.catalogue import list_presets
from bailee.providers.load import encode_provider

_SHOWN = ("origins", "auth", "credential_fields", "denied", "allowlist")


def trust_provider(run: Run) -> Provider:
    """Find out what the API is, show what would be trusted, and have it approved.

    What is approved already is taken as it is; a file that says something else is a change, which
    is shown and asked for like a new one.

    Raises:
        BadInput: It is neither a preset nor a file nor an approved provider, or has faults.
        TrustBroken: Its record is not what the authority signed.
        Stop: Somebody said no. Nothing was approved.
    """
    source = run.wishes.source
    run.guide.step(
        "The API, and where its credentials may go", f"bailee provider add {shlex.quote(source)}"
    )
    read, standing = _find(run, source)
    if standing is not None and standing.state is ProviderState.BROKEN:
        raise TrustBroken(f"the record of {standing.id} is not what the authority signed", WRITER)
    approved = None if standing is None else standing.approved
    if approved is not None and _may_stay(run, source, read, approved):
        return _told(run, approved, "reused")
    if read is None:
        raise BadInput(
            f"{source} is proposed, not approved",
            f"look at it and approve it: bailee provider approve {source}",
        )
    _show(run, approved, read)
    if not run.guide.confirm(f"let credentials of {read.id} go where this says?"):
        run.guide.note("nothing was approved")
        raise Stop
    approve_read(run.admin, run.desk(), approved, read)
    run.guide.done(f"{read.id} is approved: the authority signed it")
    return _told(run, read, "approved")


def _find(run: Run, source: str) -> tuple[Provider | None, ProviderStanding | None]:
    try:
        read = read_source(source)
    except BadInput:
        # A word that is neither a preset nor a file may be the id of what was added from one.
        standing = None if Path(source).is_file() else _standing(run, ProviderId(source))
        if standing is None:
            raise
        return None, standing
    return read, _standing(run, read.id)


def _standing(run: Run, id: ProviderId) -> ProviderStanding | None:
    try:
        return providers.show(run.store, run.verifier, id)
    except NotFound:
        return None


def _may_stay(run: Run, source: str, read: Provider | None, approved: Provider) -> bool:
    """Whether what is approved is what is meant."""
    if read is None or encode_provider(read) == encode_provider(approved):
        run.guide.done(f"{approved.id} is approved already")
        return True
    if source in list_presets():
        run.guide.done(f"{approved.id} is approved already, and goes on as it is")
        run.guide.note(f"it is not as the preset says; 'bailee provider add {source}' takes that")
        return True
    return False


def _show(run: Run, approved: Provider | None, read: Provider) -> None:
    if approved is not None:
        for line in differences(approved, read):
            run.guide.note(line)
        return
    run.guide.note(
        f"{read.name}: credentials would go to these origins, in this way, and nowhere else; what "
        "is denied stays so, whatever a caller is granted"
    )
    for label, line in _lines(read):
        run.guide.exact(f"{label:<18}{line}".rstrip())
    run.guide.note(f"all of it: bailee provider check {shlex.quote(run.wishes.source)}")


def _lines(read: Provider) -> Iterator[tuple[str, str]]:
    told = summary(read)
    for name in _SHOWN:
        value = told[name]
        lines: Iterable[object] = value if isinstance(value, list) else [value]
        for number, line in enumerate(each for each in lines if each):
            yield (name.replace("_", " ") if number == 0 else ""), str(line)


def _told(run: Run, provider: Provider, how: str) -> Provider:
    run.told |= {"provider": provider.id}
    run.did("provider", how)
    return provider
