"""Where the embedded servers live, and as whom they run.

PostgreSQL refuses to run as root.  As an ordinary user everything stays inside the data folder.
As root the servers run under an account of their own, with programs and data in a folder of
their own below `/var/lib`: nothing above the data folder has to be opened to that account, so no
permission outside our folders ever changes.
"""

import contextlib
import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.errors import DataFolderBroken, EmbeddedServerError

ROOTS_HOME = Path("/var/lib/millrace")
SERVER_FOLDERS = ("postgres", ".postgres-unfinished", "valkey")
ACCOUNT_LINUX = "millrace"
ACCOUNT_MACOS = "_postgres"  # comes with macOS, and belongs to no person
SOCKET_PATH_LIMIT = 100  # sun_path: 108 bytes on Linux, 104 on macOS, less the file's name


@dataclass(frozen=True)
class Account:
    """The operating system account that the servers run under."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Folders of one set of embedded servers.

    `home` holds their data, `sockets` their sockets (0700), both owned by `account`, or by
    ourselves where that is None.  `programs_root` is where programs must be copied to so that
    `account` can run them; None: run them where they are installed.
    """

    home: Path
    sockets: Path
    account: Account | None
    programs_root: Path | None

    def remove(self) -> None:
        """Delete the data and sockets of these servers, which must be stopped; nothing else."""
        for folder in (self.sockets, *(self.home / name for name in SERVER_FOLDERS)):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: somebody else's files
            self.home.rmdir()

    def own(self, folder: Path) -> None:
        """Create `folder` if needed, private to the account that the servers run under."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.account is not None:
                os.chown(folder, self.account.uid, self.account.gid)
            folder.chmod(0o700)
        except OSError as error:
            raise DataFolderBroken(
                f"The folder {folder} cannot be prepared: {error.strerror}. "
                "Give another with --data, or make it a folder that you may write to."
            ) from error


def place_for(data: Path, *, euid: int | None = None) -> Place:
    """Decide where the servers of the data folder `data` live; create what is missing.

    Raises DataFolderBroken when a folder can't be made, or when the folder for sockets belongs to
    somebody else.
    """
    data = data.resolve()
    euid = os.geteuid() if euid is None else euid
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    if euid == 0:
        account = _account()
        try:
            ROOTS_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderBroken(
                f"{ROOTS_HOME} cannot be made: {error.strerror}. "
                "Run as an ordinary user, or give DATABASE_URL and REDIS_URL."
            ) from error
        home = ROOTS_HOME / digest
        place = Place(home, home / "run", account, ROOTS_HOME)
    else:
        home = data
        sockets = home / "run"
        if len(os.fsencode(sockets / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
            sockets = Path(tempfile.gettempdir()) / f"millrace-{euid}-{digest}"
        place = Place(home, sockets, None, None)
    if place.account is not None or not place.home.exists():
        place.own(place.home)  # an ordinary user's folder that was there keeps its permissions
    place.own(place.sockets)
    owner = place.sockets.stat().st_uid
    expected = place.account.uid if place.account else euid
    if owner != expected or place.sockets.is_symlink():
        raise DataFolderBroken(
            f"{place.sockets} belongs to another user. Remove it, or give another --data folder."
        )
    return place


def install_programs(place: Place, name: str, version: str, folders: list[Path]) -> Path:
    """Return the folder below which `folders`, side by side, can be run by the servers' account.

    Where a copy is needed it appears whole or not at all, so an interrupted start leaves no half
    installed server behind.
    """
    parent = folders[0].parent
    if place.programs_root is None:
        return parent
    target = place.programs_root / f"{name}-{version}"
    if not target.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place.programs_root))
        try:
            for folder in folders:
                shutil.copytree(folder, unfinished / folder.name, symlinks=True)
            unfinished.chmod(0o755)
            try:
                unfinished.rename(target)
            except OSError:
                if not target.is_dir():  # else another start was faster, with the same files
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _account() -> Account:
    name = ACCOUNT_MACOS if platform.system() == "Darwin" else ACCOUNT_LINUX
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _add_account(name)
        entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def _add_account(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    adduser = shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        argv = [useradd, "--system", "--user-group", "--no-create-home"]
        argv += ["--home-dir", str(ROOTS_HOME), "--shell", "/usr/sbin/nologin", name]
    elif adduser:  # BusyBox
        argv = [adduser, "-S", "-D", "-H", "-h", str(ROOTS_HOME), "-s", "/sbin/nologin", name]
    else:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the account {name!r} cannot be added: neither "
            "useradd nor adduser is there. Run as an ordinary user, or give DATABASE_URL."
        )
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0 and not _exists(name):
        raise EmbeddedServerError(
            f"The account {name!r} for the servers cannot be added: {done.stderr.strip()}. "
            "Run as an ordinary user, or give DATABASE_URL and REDIS_URL."
        )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
