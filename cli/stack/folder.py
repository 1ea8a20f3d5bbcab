"""The data folder, and the folder of logs in it."""

from pathlib import Path

from cli.errors import DataFolderUnusable


def logs_of(data: Path) -> Path:
    """Return where the logs of a data folder are."""
    return data / "logs"


def prepare_folder(data: Path) -> None:
    """Create the data folder and its logs' folder.  Raises DataFolderUnusable with the remedy."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs_of(data).mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise DataFolderUnusable(
            f"{error.filename} is no folder. Give another data folder with --data."
        ) from error
    except OSError as error:
        raise DataFolderUnusable(
            f"The data folder {data} cannot be used: {error.strerror} ({error.filename}). "
            "Give another with --data, or make it yours."
        ) from error
