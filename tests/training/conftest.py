"""What the tests of training share."""

import pytest

from tests.training.trainings import Trainer


@pytest.fixture(scope="session")
def trainer(project_root):
    trainer = Trainer(project_root)
    yield trainer
    trainer.close()
