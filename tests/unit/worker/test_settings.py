"""Every setting of the queue and its workers is documented, with its default."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from hashing.passwords.settings import PasswordLimits
from tasks.settings import QueueSettings
from worker.settings import WorkerSettings

TEXT = (Path(__file__).parents[3] / "docs" / "queue.md").read_text()


@pytest.mark.parametrize("settings", [QueueSettings, WorkerSettings, PasswordLimits])
def test_every_setting_is_documented_with_its_default(settings: type[BaseSettings]) -> None:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        variable = field.validation_alias or f"{prefix}{name.upper()}"
        if field.is_required():
            assert f"`{variable}`" in TEXT
        else:
            shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
            cell = "\N{EN DASH}" if shown is None else f"`{shown}`"
            assert f"| `{variable}` | {cell} |" in TEXT, variable
