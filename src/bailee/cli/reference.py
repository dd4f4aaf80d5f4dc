"""`bailee reference-api`."""

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
@output_option
def reference_api(
    where: str,
    certificate: Path | None,
    key: Path | None,
    pki: Path | None,
    names: tuple[str, ...],
    trusted_proxy: tuple[str, ...],
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
    if pki is not None:
        from bailee.reference.pki import World

        files = World.create(names).write(pki)
        certificate, key = files.certificate, files.key
    assert certificate is not None
    assert key is not None

    def show(url: str) -> None:
        announce(form, [{"listening": url}], {"listening": url})

    proxies = [_proxy(each) for each in trusted_proxy]
    serve(place, certificate, key, trusted_proxies=proxies, announce=show)


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
