"""
Mends of AllenNLP 2.10.1, whose last release is older than the torch, NumPy and transformers it runs on here.

Each file of this folder is one mend: what breaks, since which version, the lines of AllenNLP it stands in for, a test
of whether the break is there, and the cure.  Importing this package applies them all, in place on AllenNLP's own
classes and modules, so that code which imports from AllenNLP directly is mended too.  Nothing else in `elmo_plugin`
works around AllenNLP.
"""

from types import ModuleType
from typing import NamedTuple, Tuple

from elmo_plugin.compat import archive_extraction
from elmo_plugin.compat import config_folders
from elmo_plugin.compat import evaluation_by_one_worker
from elmo_plugin.compat import gradual_unfreezing_resume
from elmo_plugin.compat import loader_workers
from elmo_plugin.compat import mixed_precision
from elmo_plugin.compat import moving_average_resume
from elmo_plugin.compat import numpy_checkpoints
from elmo_plugin.compat import plateau_scheduler
from elmo_plugin.compat import sparse_gradient_clipping
from elmo_plugin.compat import sparse_gradient_norm
from elmo_plugin.compat import sparse_gradient_workers
from elmo_plugin.compat import transformer_tokenizers
from elmo_plugin.compat import whole_config
from elmo_plugin.compat import whole_vocabulary


class Mend(NamedTuple):
    """
    # Parameters

    breaks : `str`
        What a user of AllenNLP meets without the mend.
    stands_in_for : `str`
        The file, and line, of AllenNLP 2.10.1 that is at fault, below its package folder.
    room : `ModuleType`
        The module with `is_needed()`, whether the versions installed here break, and `apply()`, which may be called
        any number of times.
    """

    breaks: str
    stands_in_for: str
    room: ModuleType


MENDS: Tuple[Mend, ...] = (
    Mend(
        "the `reduce_on_plateau` scheduler passes torch a `verbose` it no longer takes",
        "training/learning_rate_schedulers/pytorch_lr_schedulers.py 216",
        plateau_scheduler,
    ),
    Mend(
        "`--recover` refuses a training state that holds NumPy values, as the `cosine` scheduler's does",
        "training/checkpointer.py 289",
        numpy_checkpoints,
    ),
    Mend(
        "after `--recover` a moving average averages copies of the model, not the model",
        "training/moving_average.py 47",
        moving_average_resume,
    ),
    Mend(
        "after `--recover` gradual unfreezing begins again with everything frozen",
        "training/learning_rate_schedulers/slanted_triangular.py 125",
        gradual_unfreezing_resume,
    ),
    Mend(
        "`grad_norm` fails on sparse gradients",
        "training/gradient_descent_trainer.py 389",
        sparse_gradient_norm,
    ),
    Mend(
        "`grad_clipping` fails on sparse gradients",
        "training/gradient_descent_trainer.py 368",
        sparse_gradient_clipping,
    ),
    Mend(
        "distributed training fails on sparse gradients of AllenNLP's `Embedding`",
        "nn/parallel/ddp_accelerator.py 146",
        sparse_gradient_workers,
    ),
    Mend(
        "a FutureWarning of torch.cuda.amp for every batch, and the day when it goes",
        "training/gradient_descent_trainer.py 509",
        mixed_precision,
    ),
    Mend(
        "the `multiprocess` loader cannot spawn its workers",
        "data/data_loaders/multiprocess_data_loader.py 431",
        loader_workers,
    ),
    Mend(
        "no tokenizer of a pretrained transformer can be built",
        "common/cached_transformers.py 204",
        transformer_tokenizers,
    ),
    Mend(
        "archives unpack wherever their members say, with a DeprecationWarning from Python 3.12 on",
        "models/archival.py 302",
        archive_extraction,
    ),
    Mend(
        "distributed training with `evaluate_on_test` never ends",
        "commands/train.py 583",
        evaluation_by_one_worker,
    ),
    Mend(
        "a training killed as it writes its vocabulary goes on with half of it",
        "data/vocabulary.py 765",
        whole_vocabulary,
    ),
    Mend(
        "a training killed as it writes `config.json` can't go on",
        "common/params.py 475",
        whole_config,
    ),
    Mend(
        "a folder given for a configuration ends the process without a message",
        "common/params.py 462",
        config_folders,
    ),
)


def apply_all() -> None:
    """Applies every mend that is needed here.  Calling it again changes nothing."""
    for mend in MENDS:
        if mend.room.is_needed():
            mend.room.apply()


apply_all()
