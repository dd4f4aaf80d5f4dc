"""The configuration: defaults, environment, paths, and every fault at once."""

import os
from pathlib import Path

import pytest

from bailee.config import DecoyEntry, EgressEntry, TlsFiles, load
from bailee.config_keys import DECOY_KEYS, EGRESS_KEYS, KEYS
from bailee.errors import ConfigInvalid

AUTHORITY = "ed25519/" + "A" * 43 + "="
MINIMAL = f'[vault]\nauthority = "{AUTHORITY}"\n'


def written(directory: Path, text: str) -> Path:
    """Write a configuration and return its path."""
    path = directory / "bailee.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(directory: Path, text: str, environ: dict[str, str] | None = None) -> str:
    """Load a configuration that is refused, and return what is said."""
    with pytest.raises(ConfigInvalid) as refused:
        load(written(directory, text), environ or {})
    return refused.value.detail


def test_load_when_all_but_the_authority_is_absent(tmp_path: Path) -> None:
    """Every setting but the authority has a default; paths are relative to the file."""
    settings = load(written(tmp_path, MINIMAL), {})
    assert settings.base == tmp_path
    assert settings.vault.root_key == "file:root.key"
    assert settings.vault.passphrase_file is None
    assert settings.journal.keep_days == 0
    assert settings.store.url == f"sqlite:///{tmp_path}/bailee.db"
    assert settings.store.path == tmp_path / "bailee.db"
    assert settings.store.stale_seconds == 0.0
    assert settings.journal.directory == tmp_path / "journal"
    assert settings.journal.sync == "batched"
    assert settings.gateway.listen == ("127.0.0.1", 8700)
    assert settings.gateway.workers == len(os.sched_getaffinity(0))
    assert not settings.gateway.danger_plain_calls
    assert settings.gateway.tls is None
    assert settings.dangers == ()
    assert settings.public.base_url == "http://127.0.0.1:8701"
    assert settings.admin.listen == ("127.0.0.1", 8702)
    assert settings.keeper.poll_seconds == 0.2
    assert not settings.users.apart
    assert settings.egress == ()


def test_load_when_everything_is_set(tmp_path: Path) -> None:
    """What the file says is what the settings hold."""
    settings = load(
        written(
            tmp_path,
            f"""
            [vault]
            root_key = "passphrase:/etc/bailee/root.kdf"
            passphrase_file = "../secrets/passphrase"
            authority = "{AUTHORITY}"
            [store]
            url = "sqlite:////var/lib/bailee.db"
            stale_seconds = 5
            [journal]
            directory = "/var/log/bailee"
            sync = "always"
            keep_days = 400
            [gateway]
            listen = "[::]:80"
            workers = 3
            danger_plain_calls = true
            head_seconds = 2
            connections = 50
            call_seconds = 30
            connect_seconds = 1.5
            [public]
            listen = "[::1]:81"
            base_url = "https://keys.example/"
            [admin]
            listen = "192.0.2.1:82"
            danger_plain_admin = true
            [keeper]
            poll_seconds = 1
            checkpoint_seconds = 10
            [users]
            admin = "bailee-admin"
            public = 1002
            group = "bailee"
            [[egress]]
            name = "a"
            bind = "127.0.0.2"
            [[egress]]
            name = "b"
            bind = "10.0.0.1"
            public = "203.0.113.7"
            """,
        ),
        {},
    )
    assert settings.vault.root_key == "passphrase:/etc/bailee/root.kdf"
    assert settings.vault.passphrase_file == tmp_path.parent / "secrets" / "passphrase"
    assert settings.store.url == "sqlite:////var/lib/bailee.db"
    assert settings.journal.directory == Path("/var/log/bailee")
    assert settings.journal.keep_days == 400
    assert settings.gateway.listen == ("::", 80)
    assert settings.gateway.head_seconds == 2.0
    assert settings.admin.listen == ("192.0.2.1", 82)
    assert settings.dangers == ("gateway.danger_plain_calls", "admin.danger_plain_admin")
    assert settings.public.base_url == "https://keys.example"
    assert settings.users.apart
    assert settings.users.public == "1002"
    assert settings.egress == (
        EgressEntry("a", "127.0.0.2", "127.0.0.2"),
        EgressEntry("b", "10.0.0.1", "203.0.113.7"),
    )


def test_limits_of_callers(tmp_path: Path) -> None:
    """Without a word no rate is limited, and 1,000 calls of a caller are under way at most."""
    settings = load(written(tmp_path, MINIMAL), {})
    assert settings.gateway.caller_calls_per_second == 0
    assert settings.gateway.caller_concurrent == 1000
    for low, high in ((0, 1), (1_000_000, 1_000_000)):
        text = f"[gateway]\ncaller_calls_per_second = {low}\ncaller_concurrent = {high}\n"
        gateway = load(written(tmp_path, MINIMAL + text), {}).gateway
        assert (gateway.caller_calls_per_second, gateway.caller_concurrent) == (low, high)


@pytest.mark.parametrize(
    ("key", "value", "bounds"),
    [
        ("caller_calls_per_second", value, "0 to 1000000")
        for value in ("-1", "1000001", "1.5", "true", '"many"')
    ]
    + [
        ("caller_concurrent", value, "1 to 1000000")
        for value in ("0", "-1", "1000001", "1.5", "true", '"many"')
    ],
)
def test_limits_of_callers_refused(tmp_path: Path, key: str, value: str, bounds: str) -> None:
    """A limit is a whole number; a caller that may have no call under way would have none."""
    said = faults(tmp_path, MINIMAL + f"[gateway]\n{key} = {value}\n")
    assert f"gateway.{key} must be a whole number from {bounds}" in said


def test_load_when_calls_come_over_tls(tmp_path: Path) -> None:
    """Paths are relative to the file; off loopback no danger has to be switched on."""
    text = MINIMAL + '[gateway]\nlisten = "[::]:443"\ntls_certificate = "tls/a.pem"\n'
    settings = load(written(tmp_path, text + 'tls_key = "/etc/a.key"\n'), {})
    assert settings.gateway.tls == TlsFiles(tmp_path / "tls/a.pem", Path("/etc/a.key"))
    assert settings.dangers == ()
    settings = load(settings.path, {"BAILEE_GATEWAY__TLS_CLIENT_CA": "callers.pem"})
    assert settings.gateway.tls is not None
    assert settings.gateway.tls.client_ca == tmp_path / "callers.pem"


def test_load_when_the_environment_says_otherwise(tmp_path: Path) -> None:
    """`BAILEE_SECTION__KEY` wins over the file and is read by the same rules."""
    environ = {
        "BAILEE_GATEWAY__LISTEN": "127.0.0.9:9000",
        "BAILEE_GATEWAY__WORKERS": "2",
        "BAILEE_GATEWAY__DANGER_PLAIN_CALLS": "true",
        "BAILEE_KEEPER__POLL_SECONDS": "0.5",
        "BAILEE_URL": "http://127.0.0.1:8702",
        "BAILEE_CONFIG": "somewhere",
        "OTHER__KEY": "x",
    }
    text = MINIMAL + '[gateway]\nlisten = "127.0.0.1:1"\n'
    settings = load(written(tmp_path, text), environ)
    assert settings.gateway.listen == ("127.0.0.9", 9000)
    assert settings.gateway.workers == 2
    assert settings.gateway.danger_plain_calls is True
    assert settings.keeper.poll_seconds == 0.5


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.title)
def test_load_when_the_environment_sets_a_key(tmp_path: Path, key: object) -> None:
    """Every plain key is read from the environment: a bad value there names the variable."""
    variable = next(it.variable for it in KEYS if it is key)
    assert f"\n  {variable} must " in faults(tmp_path, MINIMAL, {variable: "\x00"})


def test_load_when_there_are_many_faults(tmp_path: Path) -> None:
    """All faults are told at once, each on a line of its own."""
    said = faults(
        tmp_path,
        """
        colour = "blue"
        [gateway]
        listen = "localhost:8700"
        wrokers = 4
        [store]
        url = "postgresql://db/bailee"
        [[egress]]
        name = "A!"
        bnid = "127.0.0.2"
        """,
        {"BAILEE_GATEWAY__COLOUR": "x", "BAILEE_EGRESS__NAME": "a", "BAILEE_DECOY__BIND": "a"},
    )
    for fault in (
        "colour is not a known section",
        "gateway.listen must be an IP address and a port",
        "gateway.wrokers is not a known setting",
        "store.url must be `sqlite:///`",
        "vault.authority is missing",
        "egress[1].name must be 1 to 32",
        "egress[1].bnid is not a known setting",
        "egress.bind is missing",
        "BAILEE_GATEWAY__COLOUR is not a known setting",
        "BAILEE_EGRESS__NAME is not a known setting: lists stand in the file alone",
        "BAILEE_DECOY__BIND is not a known setting: lists stand in the file alone",
    ):
        assert f"\n  {fault}" in said
    assert len(said.splitlines()) == 12


REFUSED = {
    "a section that is not one": ("gateway = 3", "gateway must be a section"),
    "an egress that is no list": ('[egress]\nname = "a"', "egress must be a list"),
    "a key in place of its path": ('[vault]\nroot_key = "c2VjcmV0"', "vault.root_key must be"),
    "another key store": ('[vault]\nroot_key = "vault:x"', "vault.root_key must be `file:` or"),
    "a root key without a path": ('[vault]\nroot_key = "passphrase:"', "vault.root_key must be"),
    "a journal of the past": ("[journal]\nkeep_days = -1", "journal.keep_days must be"),
    "a short authority": ('[vault]\nauthority = "ed25519/AAAA"', "vault.authority must be"),
    "an authority not in base64": ('[vault]\nauthority = "ed25519/?"', "vault.authority must be"),
    "a database in memory": ('[store]\nurl = "sqlite:///:memory:"', "store.url must be"),
    "a database with options": ('[store]\nurl = "sqlite:///a?mode=ro"', "store.url must be"),
    "a negative age": ("[store]\nstale_seconds = -1", "store.stale_seconds must be"),
    "a time that is no number": ("[store]\nstale_seconds = nan", "store.stale_seconds must be"),
    "an unknown sync": ('[journal]\nsync = "never"', "journal.sync must be"),
    "an empty directory": ('[journal]\ndirectory = ""', "journal.directory must not be empty"),
    "a port that is none": ('[gateway]\nlisten = "127.0.0.1:0"', "gateway.listen must have a port"),
    "a port beyond": ('[gateway]\nlisten = "127.0.0.1:65536"', "gateway.listen must have a port"),
    "IPv6 without brackets": ('[gateway]\nlisten = "::1:80"', "gateway.listen must be an IP"),
    "IPv4 in brackets": ('[gateway]\nlisten = "[127.0.0.1]:80"', "gateway.listen must be an IP"),
    "no workers": ("[gateway]\nworkers = 0", "gateway.workers must be"),
    "true workers": ("[gateway]\nworkers = true", "gateway.workers must be"),
    "a danger by a number": ("[gateway]\ndanger_plain_calls = 1", "danger_plain_calls must be"),
    "a certificate without a key": (
        '[gateway]\ntls_certificate = "a.pem"',
        "needs both tls_certificate and tls_key",
    ),
    "a key without a certificate": (
        '[gateway]\ntls_key = "a.key"',
        "needs both tls_certificate and tls_key",
    ),
    "a CA of callers alone": (
        '[gateway]\ntls_client_ca = "ca.pem"',
        "tls_client_ca needs tls_certificate",
    ),
    "a key and no certificate off loopback": (
        '[gateway]\nlisten = "0.0.0.0:80"\ntls_key = "a.key"',
        "is not a loopback address",
    ),
    "plain calls off loopback": ('[gateway]\nlisten = "0.0.0.0:80"', "is not a loopback address"),
    "plain admin off loopback": ('[admin]\nlisten = "[::]:82"', "set admin.danger_plain_admin"),
    "one port twice": ('[admin]\nlisten = "127.0.0.1:8701"', "public.listen and admin.listen"),
    "a base URL of another kind": ('[public]\nbase_url = "ftp://a"', "public.base_url must be"),
    "a base URL with a query": ('[public]\nbase_url = "https://a/?b"', "public.base_url must be"),
    "root as a user": ('[users]\nadmin = "root"', "users.admin must not be root"),
    "root by number": ('[users]\nadmin = "00"', "users.admin must not be root"),
    "users in part": ('[users]\nadmin = "x"', "users needs admin, public and group"),
    "an egress name": ('[[egress]]\nname = "a"\nbind = "host"', "egress[1].bind must be an IP"),
    "any address": ('[[egress]]\nname = "a"\nbind = "0.0.0.0"', "must be the address of one host"),
    "a zone": ('[[egress]]\nname = "a"\nbind = "fe80::1%eth0"', "must be an IP address without"),
    "mixed families": (
        '[[egress]]\nname = "a"\nbind = "127.0.0.2"\npublic = "::1"',
        "egress a has bind and public of different families",
    ),
    "an entry twice": (
        '[[egress]]\nname = "a"\nbind = "127.0.0.2"\n[[egress]]\nname = "a"\nbind = "127.0.0.3"',
        "egress has more than one entry with name = a",
    ),
}


EGRESS = '[[egress]]\nname = "a"\nbind = "203.0.113.7"\n'
EGRESS6 = '[[egress]]\nname = "a"\nbind = "2001:db8::7"\n'


def decoy(bind: str, name: str = "d", public: str | None = None) -> str:
    """A section of a decoy."""
    more = "" if public is None else f'public = "{public}"\n'
    return f'[[decoy]]\nname = "{name}"\nbind = "{bind}"\n{more}'


def test_decoys_when_they_are_far_enough(tmp_path: Path) -> None:
    """A decoy has another network than every egress address, as the outside sees them."""
    text = MINIMAL + EGRESS + decoy("203.0.112.7") + decoy("10.0.0.9", "e", "198.51.100.1")
    settings = load(written(tmp_path, text), {})
    assert settings.decoy == (
        DecoyEntry("d", "203.0.112.7", "203.0.112.7"),
        DecoyEntry("e", "10.0.0.9", "198.51.100.1"),
    )
    other = load(written(tmp_path, MINIMAL + EGRESS6 + decoy("2001:db8:0:1::7")), {})
    assert other.decoy[0].public == "2001:db8:0:1::7"
    behind_nat = EGRESS.replace("203.0.113.7", "10.0.0.8") + 'public = "203.0.113.7"\n'
    assert load(written(tmp_path, MINIMAL + behind_nat + decoy("10.0.0.9", "d", "192.0.2.1")), {})


REFUSED |= {
    "a decoy that is no list": ('[decoy]\nname = "a"', "decoy must be a list of sections"),
    "a decoy without an address": ('[[decoy]]\nname = "a"', "decoy.bind is missing"),
    "an unknown key of a decoy": (decoy("10.0.0.1") + "x = 1", "decoy[1].x is not a known setting"),
    "a decoy in the /24": (
        EGRESS + decoy("203.0.113.200"),
        "decoy d (203.0.113.200) is in the same /24 as egress a (203.0.113.7)",
    ),
    "a decoy in the /24 of another": (
        EGRESS + EGRESS.replace('"a"', '"b"').replace("113", "114") + decoy("203.0.114.9"),
        "is in the same /24 as egress b",
    ),
    "a decoy in the /64": (EGRESS6 + decoy("2001:db8::ffff:1"), "is in the same /64 as egress a"),
    "a decoy seen in the /24": (EGRESS + decoy("10.0.0.9", "d", "203.0.113.1"), "the same /24"),
    "an egress address as decoy": (
        EGRESS + decoy("203.0.113.7"), "decoy d has the same bind as egress a"
    ),
    "a decoy named as an egress": (EGRESS + decoy("10.0.0.9", "a"), "have the same name"),
    "a decoy name twice": (decoy("10.0.0.9") + decoy("10.0.1.9"), "more than one entry with name"),
    "a decoy address twice": (
        decoy("10.0.0.9") + decoy("10.0.0.9", "e"), "decoy has more than one entry with bind"
    ),
    "a decoy of two families": (
        decoy("10.0.0.9", "d", "2001:db8::1"), "decoy d has bind and public of different families"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_load_when_a_value_is_refused(tmp_path: Path, case: str) -> None:
    """Each rule refuses what it is there for, and names the setting."""
    text, said = REFUSED[case]
    head = "" if "[vault]" in text else MINIMAL
    if text.startswith("gateway"):
        head, text = text + "\n", MINIMAL
    assert said in faults(tmp_path, head + text)


def test_load_when_a_value_of_the_root_key_is_refused(tmp_path: Path) -> None:
    """The value of `root_key` is never repeated: someone may have put the key itself there."""
    assert "c2VjcmV0" not in faults(tmp_path, MINIMAL + 'root_key = "c2VjcmV0"')


def test_load_when_the_file_is_missing_or_broken(tmp_path: Path) -> None:
    """A missing file, one that can't be read and one that is not TOML are each told apart."""
    with pytest.raises(ConfigInvalid, match="there is no configuration") as missing:
        load(tmp_path / "none.toml", {})
    assert "bailee init" in missing.value.hint
    with pytest.raises(ConfigInvalid, match="can't be read"):
        load(tmp_path, {})
    assert "is not TOML" in faults(tmp_path, "[vault")


def test_keys_are_all_explained() -> None:
    """Every key has a meaning, and no two share a name."""
    every = (*KEYS, *EGRESS_KEYS, *DECOY_KEYS)
    assert all(key.meaning for key in every)
    assert len({key.title for key in every}) == len(every)
