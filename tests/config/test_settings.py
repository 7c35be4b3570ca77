"""One file, every key also in the environment, and every slip told at once in words that name the key."""

from pathlib import Path

import pytest

from config.settings import BadSettings, Settings, load_settings

SECRET = "hunter2-of-the-pbx"
GOOD = f"""
[server]
port = 9000
[[pbx]]
name = "north"
username = "ringfence"
secret = "{SECRET}"
"""


def _load(folder: Path, text: str, **environment: str) -> Settings:
    path = folder / "ringfence.toml"
    path.write_text(text)
    return load_settings(path, environment)


def _problems(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        _load(folder, text, **environment)
    assert str(folder / "ringfence.toml") in caught.value.detail
    return caught.value.problems


def test_an_empty_file_is_a_configuration(tmp_path: Path) -> None:
    settings = _load(tmp_path, "")
    assert (settings.server.port, settings.pbx, settings.policy.zone) == (8080, [], "Asia/Shanghai")


def test_every_bad_key_is_told_at_once(tmp_path: Path) -> None:
    text = """
        surprise = 1
        [server]
        port = "abc"
        prot = 80
        [database]
        url = "mysql://x"
        [gate]
        advertise = "10.0.0.1:99999"
        emergency = ["110", "9-1-1"]
        [[pbx]]
        name = "North PBX"
        secret = "x"
        spool_pbx = "/var/../etc"
        [archive]
        lock = "maybe"
        [policy]
        zone = "Mars/X"
        region = "china"
        guard_seconds = -1
    """
    problems = _problems(tmp_path, text)
    named = {problem.split()[0] for problem in problems}
    assert named == {
        "surprise", "server.port", "server.prot", "database", "gate.advertise", "gate.emergency", "pbx.0.name",
        "pbx.0.username", "pbx.0.spool_pbx", "archive.lock", "policy.zone", "policy.region", "policy.guard_seconds",
    }  # fmt: skip
    assert "server.prot is not a known key" in problems
    assert "pbx.0.username is required" in problems
    assert "policy.zone must be an IANA time zone such as Asia/Shanghai" in problems


@pytest.mark.parametrize("zone", ["Mars/X", "Asia", "", "../etc/passwd", "/etc/localtime", "x" * 300])
def test_what_is_no_time_zone_is_refused_in_words(tmp_path: Path, zone: str) -> None:
    assert _problems(tmp_path, f'[policy]\nzone = "{zone}"') == [
        "policy.zone must be an IANA time zone such as Asia/Shanghai"
    ]


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    assert "line 2" in _problems(tmp_path, "[server]\nport = = 1")[0]


def test_a_missing_file_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"nowhere\.toml: cannot be read: No such file"):
        load_settings(tmp_path / "nowhere.toml", {})


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('[server]\nhost = "é"'.encode("latin-1"))
    with pytest.raises(BadSettings, match="is not TOML"):
        load_settings(tmp_path / "latin.toml", {})


def test_the_environment_wins_over_the_file_with_the_right_types(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        GOOD,
        RINGFENCE_SERVER__PORT="7000",
        RINGFENCE_PBX__0__SECRET="from-outside",
        RINGFENCE_PBX__0__TLS="true",
        RINGFENCE_POLICY__PACKS='["us-reg-f", "us-ma"]',
        RINGFENCE_POLICY__ZONE="America/New_York",
        RINGFENCE_GATE__EMERGENCY='["110"]',
        PATH="/bin",
    )
    assert settings.server.port == 7000
    assert settings.pbx[0].secret.get_secret_value() == "from-outside"
    assert settings.pbx[0].tls is True
    assert settings.policy.packs == ["us-reg-f", "us-ma"]
    assert settings.policy.zone == "America/New_York"
    assert settings.gate.emergency == ["110"]


def test_a_pbx_can_come_from_the_environment_alone(tmp_path: Path) -> None:
    prefix = "RINGFENCE_PBX__0__"
    given = {f"{prefix}NAME": "north", f"{prefix}USERNAME": "u", f"{prefix}SECRET": "s", f"{prefix}PORT": "5039"}
    settings = _load(tmp_path, "", **given)
    assert (settings.pbx[0].name, settings.pbx[0].port) == ("north", 5039)


@pytest.mark.parametrize("secret", ["true", "[1, 2]", "{not toml", '["', "1234", "a=b;c#d"])
def test_any_text_is_a_secret_in_the_environment(tmp_path: Path, secret: str) -> None:
    settings = _load(tmp_path, GOOD, RINGFENCE_PBX__0__SECRET=secret)
    assert settings.pbx[0].secret.get_secret_value() == secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RINGFENCE_SERVER__PROT", "80"),
        ("RINGFENCE_SERVER__HOST__A__B", "x"),
        ("RINGFENCE_SERVER__HOST__0__B", "x"),
        ("RINGFENCE_PBX__7__SECRET", "x"),
        ("RINGFENCE_PBX__X__SECRET", "x"),
        ("RINGFENCE_PBX__0", "x"),
        ("RINGFENCE_POLICY__PACKS", "[broken"),
        ("RINGFENCE_", "x"),
        ("RINGFENCE_SERVER", "x"),
    ],
)
def test_a_slip_in_the_environment_is_told_like_one_in_the_file(tmp_path: Path, name: str, value: str) -> None:
    text = GOOD.replace("port = 9000", 'host = "127.0.0.1"')
    assert len(_problems(tmp_path, text, **{name: value})) == 1


def test_a_secret_can_lie_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ami.secret").write_text(f"{SECRET}\n")
    settings = _load(tmp_path, GOOD.replace(f'secret = "{SECRET}"', 'secret_file = "ami.secret"'))
    assert settings.pbx[0].secret.get_secret_value() == SECRET


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\x00"])
def test_a_secret_file_that_holds_no_secret_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "ami.secret").write_bytes(content)
    problems = _problems(tmp_path, GOOD.replace(f'secret = "{SECRET}"', 'secret_file = "ami.secret"') + "tsl = true")
    assert any(problem.startswith("pbx.0.secret_file cannot be used: ") for problem in problems)
    assert "pbx.0.tsl is not a known key" in problems


@pytest.mark.parametrize("text", ["pbx = 5", '[pbx]\nname = "north"', 'pbx = ["north"]', "server = 1", "gate = []"])
def test_a_table_of_the_wrong_shape_is_told(tmp_path: Path, text: str) -> None:
    assert _problems(tmp_path, text)


def test_two_pbxs_of_one_name_are_refused(tmp_path: Path) -> None:
    again = '\n[[pbx]]\nname = "north"\nusername = "u"\nsecret = "s"'
    assert _problems(tmp_path, GOOD + again) == ["the file every [[pbx]] needs a name of its own"]


def test_relative_paths_belong_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc" / "ringfence.toml").write_text(GOOD + 'spool_local = "spool"')
    settings = load_settings(Path("etc/ringfence.toml"), {})
    etc = tmp_path / "etc"
    assert settings.database.url == f"sqlite+aiosqlite:///{etc}/var/ringfence.db"
    assert settings.keys.master == etc / "var/master.key"
    assert settings.pbx[0].spool_local == etc / "spool"


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:////srv/r.db", "postgresql+asyncpg://u:p@db/x", "sqlite+aiosqlite:///:memory:"]
)
def test_absolute_places_stay_where_they_are(tmp_path: Path, url: str) -> None:
    assert _load(tmp_path, f'[database]\nurl = "{url}"').database.url == url


def test_no_secret_shows_when_settings_are_printed(tmp_path: Path) -> None:
    url = '[database]\nurl = "postgresql+asyncpg://ringfence:pg-password@db/ringfence"\n'
    settings = _load(tmp_path, url + GOOD)
    shown = repr(settings) + str(settings)
    assert SECRET not in shown
    assert "pg-password" not in shown


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("secret =", "secrett ="),
        GOOD + "tsl = 1",
        GOOD.replace(f'"{SECRET}"', f'["{SECRET}"]'),
        f'[database]\nurl = "mysql://root:{SECRET}@db/x"',
        f'pbx = "{SECRET}"',
        f'[[pbx]]\nsecret = "{SECRET}',
    ],
)
def test_no_secret_shows_in_what_is_wrong(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSettings) as caught:
        _load(tmp_path, text)
    told: BaseException | None = caught.value
    while told is not None:
        assert SECRET not in str(told) + repr(told)
        told = told.__cause__ or told.__context__


def test_loaded_values_do_not_change(tmp_path: Path) -> None:
    settings = _load(tmp_path, GOOD)
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]  # what must not be possible


@pytest.mark.parametrize("url", ["file:///srv/calls", "s3://calls/2026", "s3://calls"])
def test_an_archive_is_a_folder_or_a_bucket(tmp_path: Path, url: str) -> None:
    assert _load(tmp_path, f'[archive]\nurl = "{url}"\ncopy_url = "{url}"').archive.url == url


@pytest.mark.parametrize("url", ["", "file://x", "s3://", "s3://UPPER/x", "http://x", "/srv/calls"])
def test_another_kind_of_archive_is_refused(tmp_path: Path, url: str) -> None:
    for key in ("url", "copy_url"):
        (problem,) = _problems(tmp_path, f'[archive]\n{key} = "{url}"')
        assert problem.startswith(f"archive.{key} must be file:///")


def test_a_stores_secret_may_be_in_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "s3.secret").write_text("hunter2\n")
    settings = _load(tmp_path, '[archive]\nurl = "s3://calls"\naccess_key = "a"\nsecret_key_file = "s3.secret"')
    assert settings.archive.secret_key is not None
    assert settings.archive.secret_key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)


def test_key_folders_belong_beside_the_file(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[archive]\ncheckpoints = "off site"\n[keys]\nmaster = "k/master.key"')
    assert settings.archive.checkpoints == tmp_path / "off site"
    assert settings.keys.group_keys == tmp_path / "k" / "group-keys"
    assert settings.keys.signing == tmp_path / "k" / "log-signing.pem"
