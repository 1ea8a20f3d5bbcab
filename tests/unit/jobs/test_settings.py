"""What settings of jobs are refused."""

import pytest
from pydantic import ValidationError

from jobs.settings import JobSettings


@pytest.mark.parametrize("name", ["own", "bulk"])
def test_a_further_database_is_not_called_like_a_pool_of_ours(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}: .*rename it"):
        JobSettings.model_validate({"databases": {name: "postgresql://elsewhere/x"}})
    JobSettings.model_validate({"databases": {"replica": "postgresql://elsewhere/x"}})
