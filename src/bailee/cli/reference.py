"""`bailee reference-api`."""

import os
from pathlib import Path

import click

from bailee.cli.output import Form, announce, output_option
from bailee.config_keys import host_ip, listen
from bailee.errors import BadInput

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--listen", "where", default="127.0.0.1:9443", show_default=True, metavar="ADDRESS",
              help="Address and port; port 0 takes a free one.")  # fmt: skip
@click.option("--certificate", type=_FILE, help="Its certificate and the issuers, PEM.")
@click.option("--key", type=_FILE, help="The certificate's private key, PEM.")
@click.option(
    "--pki",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make a CA and a certificate in this directory instead: ca.pem, server.pem, server.key.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    default=("api.test",),
    show_default=True,
    help="A name of the certificate that --pki makes; may be repeated.",
)
@click.option("--trusted-proxy", multiple=True, metavar="ADDRESS", help="A front proxy, exactly.")
@click.option(
    "--quirk",
    "quirks",
    multiple=True,
    metavar="NAME",
    help="Refuse as some APIs do: uniform-401, refusal-inside-200, firewall, nonce-error.",
)
@click.option(
    "--known",
    multiple=True,
    metavar="ADDRESS",
    help="An address or network that these quirks do not take for a stranger's.",
)
@click.option(
    "--provider-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --pki: write the file that `bailee provider add` reads.",
)
@click.option("--keys", type=click.Choice(["bearer", "hmac", "hmac-nonce"]), default="bearer",
              show_default=True, help="The kind of key that this file is for.")  # fmt: skip
@output_option
def reference_api(
    where: str,
    certificate: Path | None,
    key: Path | None,
    pki: Path | None,
    names: tuple[str, ...],
    trusted_proxy: tuple[str, ...],
    quirks: tuple[str, ...],
    known: tuple[str, ...],
    provider_file: Path | None,
    keys: str,
    form: Form,
) -> None:
    """Run an API whose users' keys have allowlists, to try Bailee with.

    Once it accepts connections, stdout says where.
    """
    from bailee.reference.server import serve

    place = _place(where)
    if (certificate is None) != (key is None) or (certificate is None) == (pki is None):
        raise BadInput(
            "which certificate should it have?", "give --certificate and --key, or --pki DIR"
        )
    if provider_file is not None and pki is None:
        raise BadInput("--provider-file is for a CA that --pki makes", "give --pki DIR")
    if pki is not None:
        from bailee.reference.pki import World

        files = World.create(names).write(pki)
        certificate, key = files.certificate, files.key
    assert certificate is not None
    assert key is not None

    def show(url: str) -> None:
        if provider_file is not None and pki is not None:
            port = url.rpartition(":")[2]
            named = f"https://{names[0]}:{port}"
            _write_provider_file(provider_file, named, place[0], pki / "ca.pem", keys, quirks)
        announce(form, [{"listening": url}], {"listening": url})

    proxies = [_proxy(each) for each in trusted_proxy]
    serve(
        place,
        certificate,
        key,
        trusted_proxies=proxies,
        quirks=quirks,
        known=known,
        announce=show,
    )


def _write_provider_file(
    path: Path, url: str, address: str, ca_file: Path, keys: str, quirks: tuple[str, ...]
) -> None:
    from bailee.reference.accounts import KeyKind
    from bailee.reference.provider_file import provider_file
    from bailee.reference.quirks import parse_quirks

    text = provider_file(
        url,
        kind=KeyKind(keys.removesuffix("-nonce")),
        nonce=keys.endswith("-nonce"),
        address=address,
        ca_file=os.path.relpath(ca_file, path.parent),
        private=True,
        quirks=parse_quirks(quirks),
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}") from None


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        if port == "0":
            return listen(f"{host}:1")[0], 0
        return listen(text)
    except ValueError as error:
        raise BadInput(f"--listen {error}") from None


def _proxy(text: str) -> str:
    try:
        return host_ip(text)
    except ValueError as error:
        raise BadInput(f"--trusted-proxy {error}") from None
