"""
The half of `beside_bilm_tf.py` that runs bilm-tf, in a Python that has TensorFlow and nothing of this project:

    python benchmarks/bilm_tf_half.py BILM_TF train FOLDER
    python benchmarks/bilm_tf_half.py BILM_TF read FOLDER

`train` trains a model in each folder of FOLDER with a `training.json`, and has bilm-tf write all that it writes of it.
`read` has bilm-tf read the files in each folder `exported`.
"""

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

NEEDED = """\
{python} has no TensorFlow that runs bilm-tf ({error}). Give --tensorflow another Python, such as
    python3.11 -m venv tf && tf/bin/pip install 'tensorflow-cpu==2.15.*'"""


def old_tensorflow() -> Any:
    """TensorFlow as version 1 was, which `import tensorflow` means from here on. Exits where there is none."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
        import tensorflow.python.ops.init_ops  # noqa: F401  bilm-tf imports it by this name

        old = tensorflow.compat.v1
        old.nn.rnn_cell.LSTMCell
    except (ImportError, AttributeError) as error:
        sys.exit(NEEDED.format(python=sys.executable, error=error))
    old.disable_v2_behavior()
    sys.modules["tensorflow"] = old
    return old


class BilmTf:
    """
    bilm-tf's functions, each on a graph of its own.

    # Parameters

    source : folder with bilm-tf's source.
    folder : holds `vocab.txt`, `heldout.txt` and the folders of the models.
    """

    def __init__(self, source: str, folder: Path) -> None:
        self.tf, self.folder = old_tensorflow(), folder
        sys.path.insert(0, source)
        from bilm import data, model, training

        self.data, self.model, self.training = data, model, training
        # Since Python 3.7 a StopIteration within a generator is an error; bilm-tf ends a test with one.
        sentences = data.LMDataset.get_sentence

        def get_sentence(dataset: Any) -> Iterator[Any]:
            try:
                yield from sentences(dataset)
            except RuntimeError as error:
                if not isinstance(error.__cause__, StopIteration):
                    raise

        data.LMDataset.get_sentence = get_sentence

    def begin(self) -> None:
        self.tf.reset_default_graph()
        self.tf.set_random_seed(1)
        random.seed(1)

    def text(self, name: str, options: Dict[str, Any], **how: bool) -> Any:
        vocabulary = self.training.load_vocab(str(self.folder / "vocab.txt"), width(options))
        return self.data.BidirectionalLMDataset(str(self.folder / name), vocabulary, **how)

    def train(self, here: Path) -> None:
        job = json.loads((here / "training.json").read_text())
        options = job["options"]
        self.begin()
        text = self.text(job["text"], options, test=False, shuffle_on_load=job["shuffle"])
        self.training.train(options, text, 1, str(here), str(here))
        shutil.copy(str(self.folder / "vocab.txt"), str(here / "vocab.txt"))
        self.begin()
        self.training.dump_weights(str(here), str(here / "weights.hdf5"))
        self.begin()
        options, checkpoint = self.training.load_options_latest_checkpoint(str(here))
        perplexity = self.training.test(options, checkpoint, self.text("heldout.txt", options, test=True), batch_size=1)
        (here / "perplexity.json").write_text(json.dumps(float(perplexity)))
        # Its own names of the variables of a single layer are none that it reads.
        if options["lstm"]["n_layers"] > 1:
            self.read(here, here / "options.json", here / "weights.hdf5", "trained")

    def read(self, here: Path, options_file: Path, weight_file: Path, name: str) -> None:
        """Writes `{name}_vectors.hdf5`, and `{name}_words.hdf5` of a model that reads characters."""
        options = json.loads(options_file.read_text())
        vectors = str(here / f"{name}_vectors.hdf5")
        vocabulary, text, weights = str(self.folder / "vocab.txt"), str(self.folder / "heldout.txt"), str(weight_file)
        self.begin()
        if width(options) is None:
            self.read_word_ids(str(options_file), weights, vectors)
            return
        options["char_cnn"]["n_characters"] = 262
        changed = here / f"{name}_options.json"
        changed.write_text(json.dumps(options))
        self.model.dump_bilm_embeddings(vocabulary, text, str(changed), weights, vectors)
        self.begin()
        self.model.dump_token_embeddings(vocabulary, str(changed), weights, str(here / f"{name}_words.hdf5"))

    def read_word_ids(self, options_file: str, weights: str, output: str) -> None:
        import h5py

        batcher = self.data.TokenBatcher(str(self.folder / "vocab.txt"))
        ids = self.tf.placeholder("int32", shape=(None, None))
        bilm = self.model.BidirectionalLanguageModel(
            options_file, weights, use_character_inputs=False, embedding_weight_file=weights
        )
        operation = bilm(ids)["lm_embeddings"]
        lines = (self.folder / "heldout.txt").read_text(encoding="utf-8").splitlines()
        with self.tf.Session() as session, h5py.File(output, "w") as file:
            session.run(self.tf.global_variables_initializer())
            for number, line in enumerate(lines):
                batch = batcher.batch_sentences([line.split()])
                file[str(number)] = session.run(operation, feed_dict={ids: batch})[0]


def width(options: Dict[str, Any]) -> Optional[int]:
    """Characters of a word; `None` for a model of word ids."""
    return options["char_cnn"]["max_characters_per_token"] if "char_cnn" in options else None


def main() -> None:
    source, task, folder = sys.argv[1:]
    bilm_tf = BilmTf(source, Path(folder).absolute())
    if task == "train":
        for job in sorted(bilm_tf.folder.glob("*/training.json")):
            bilm_tf.train(job.parent)
    else:
        for exported in sorted(bilm_tf.folder.glob("*/exported")):
            bilm_tf.read(exported.parent, exported / "options.json", exported / "weights.hdf5", "exported")


if __name__ == "__main__":
    main()
