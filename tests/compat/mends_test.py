import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from elmo_plugin import compat

PACKAGE = Path(importlib.util.find_spec("allennlp").origin).parent


def test_the_mends_are_for_the_allennlp_that_is_installed():
    assert importlib.metadata.version("allennlp") == "2.10.1"


def test_every_file_of_the_room_is_in_the_table_once():
    files = sorted(path.stem for path in Path(compat.__file__).parent.glob("*.py") if path.stem != "__init__")
    assert files == sorted(mend.room.__name__.rpartition(".")[2] for mend in compat.MENDS)


@pytest.mark.parametrize("mend", compat.MENDS, ids=lambda mend: mend.room.__name__.rpartition(".")[2])
def test_a_mend_names_the_line_of_allennlp_that_it_stands_in_for(mend):
    file, line = mend.stands_in_for.split()
    assert int(line) <= len((PACKAGE / file).read_text(encoding="utf-8").splitlines())
    assert f"`{file}` {line}" in mend.room.__doc__


def test_applying_the_mends_again_changes_nothing():
    def replaced():
        return [
            compat.plateau_scheduler.pytorch_lr_schedulers.ReduceOnPlateauLearningRateScheduler.__init__,
            compat.moving_average_resume.MovingAverage.load_state_dict,
            compat.gradual_unfreezing_resume.SlantedTriangular.load_state_dict,
            compat.sparse_gradient_norm.gradient_descent_trainer.clip_grad_norm_,
            compat.sparse_gradient_clipping.GradientDescentTrainer.clip_gradient,
            compat.mixed_precision.gradient_descent_trainer.amp,
            compat.loader_workers.MultiProcessDataLoader._start_batch_workers,
            compat.transformer_tokenizers.cached_transformers.get_tokenizer,
            compat.archive_extraction.archival.extracted_archive,
            compat.sparse_gradient_workers.TorchDdpAccelerator.wrap_model,
            compat.evaluation_by_one_worker.TrainModel.run,
            compat.whole_vocabulary.Vocabulary.save_to_files,
            compat.whole_config.Params.to_file,
            compat.config_folders.params.evaluate_file,
            set(compat.numpy_checkpoints.torch.serialization.get_safe_globals()),
        ]

    once = replaced()
    compat.apply_all()
    assert replaced() == once
