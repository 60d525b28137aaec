import copy
import json
import math
import shutil

import numpy
import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, Vocabulary
from allennlp.models import Model, load_archive

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.vocabulary import ElmoVocabulary
from tests.bilm.small_models import equal, small_options
from tests.language_models import oracle_perplexities, read_sentences, train

WORDS = ["<S>", "</S>", "<UNK>", *"abcdefghi"]
TEXT = "a b c zebra\nd\ne f g h i a b\ni g b a\nc c\n"
NUM_TARGETS = 18 + 5
HELDOUT = "fixtures/corpus/heldout.txt"


@pytest.fixture
def vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    return ElmoVocabulary.from_word_file(str(tmp_path / "words.txt"))


@pytest.fixture
def batches(tmp_path, vocabulary):
    (tmp_path / "text.txt").write_text(TEXT)

    def batches(batch_size=2, num_steps=4, max_characters=10):
        settings = {"batch_size": batch_size, "num_steps": num_steps, "max_characters": max_characters}
        params = Params({"type": "elmo_stream", **settings})
        loader = DataLoader.from_params(params, reader=ElmoSentencesReader(), data_path=str(tmp_path / "text.txt"))
        loader.index_with(vocabulary)
        return list(loader)

    return batches


def build(vocabulary, **arguments):
    torch.manual_seed(0)
    return Model.from_params(
        Params({"type": "language_model", "options": small_options(), **arguments}), vocab=vocabulary
    )


def losses_of(model, batch, state):
    tensors = {name: value for name, value in batch.items() if name != "is_first"}
    with torch.no_grad():
        return model.language_model(**tensors, state=state)


def close(one, other):
    """But for rounding: with gradients and without, products sum in another order."""
    pairs = [pair for directions in zip(one, other) for pair in zip(*directions)]
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in pairs)


def test_the_loss_is_the_sum_over_both_directions_by_the_steps_of_a_full_window(vocabulary, batches):
    model = build(vocabulary)
    for batch in batches():
        model._states.clear()
        expected = losses_of(model, batch, model.language_model.zero_state(2))
        total = expected.forward_losses.sum() + expected.backward_losses.sum()
        assert torch.allclose(model(**batch)["loss"], total / (2 * 2 * 4))


def test_a_token_weighs_the_same_in_a_ragged_window(vocabulary, batches):
    [batch, *_] = batches()
    losses = [build(vocabulary)(**batch, lengths=torch.tensor(lengths))["loss"] for lengths in ([4, 4], [4, 0], [0, 4])]
    assert torch.allclose(losses[0], losses[1] + losses[2])


def test_cuda_graphs_are_off_unless_asked_for_and_change_nothing_on_a_cpu(vocabulary, batches):
    models = [build(vocabulary, cuda_graphs=True), build(vocabulary)]
    assert models[0].language_model.graphs is not None and models[1].language_model.graphs is None
    for batch in batches():
        losses = [model(**batch)["loss"] for model in models]
        assert torch.equal(*losses)
    copied = copy.deepcopy(models[0].eval().language_model.graphs)
    assert models[0].language_model.graphs.num_bytes == copied.num_bytes == 0


def test_the_loss_scale_multiplies_the_loss(vocabulary, batches):
    [batch, *_] = batches()
    once, scaled = (build(vocabulary, loss_scale=scale)(**batch)["loss"] for scale in (1.0, 20.0))
    assert torch.allclose(20 * once, scaled)


def test_training_goes_on_from_the_state_of_the_window_before_into_the_next_epoch(vocabulary, batches):
    model = build(vocabulary)
    state = model.language_model.zero_state(2)
    for batch in batches() * 2:
        expected = losses_of(model, batch, state)
        model(**batch)
        assert close(model._states[True], expected.state)
        state = expected.state
    assert not any(tensor.requires_grad for direction in model._states[True] for tensor in direction)


def test_every_evaluation_begins_with_zeros_and_leaves_the_training_state_alone(vocabulary, batches):
    model = build(vocabulary)
    for batch in batches() * 2:
        model(**batch)
    training_state, expected = model._states[True], model.language_model.zero_state(2)
    model.eval()
    for _ in range(2):
        for batch in batches():
            model(**batch)
            expected = losses_of(model, batch, expected).state
            assert close(model._states[False], expected)
        assert not equal(expected, training_state)
        expected = model.language_model.zero_state(2)
    assert model._states[True] is training_state


def test_another_batch_size_begins_with_zeros(vocabulary, batches):
    model = build(vocabulary)
    model(**batches(batch_size=3)[0])
    [batch, *_] = batches(batch_size=2)
    model(**batch)
    assert close(model._states[True], losses_of(model, batch, model.language_model.zero_state(2)).state)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("num_samples", [None, 5])
def test_perplexity_is_that_of_the_full_softmax_and_sampled_losses_are_no_perplexity(
    vocabulary, batches, training, num_samples
):
    model = build(vocabulary, num_samples=num_samples, dropout=0.0).train(training)
    state, losses = model.language_model.zero_state(2), []
    for batch in batches():
        expected = losses_of(model, batch, state)
        losses.append((expected.forward_losses, expected.backward_losses))
        state = expected.state
        model(**batch)
    metrics = model.get_metrics(reset=True)
    assert metrics.pop("tokens_per_second") > 0
    if training and num_samples is not None:
        assert set(metrics) == {"sampled_loss"}
        return
    forward, backward = (torch.cat(direction).double() for direction in zip(*losses))
    assert len(forward) == len(backward) == NUM_TARGETS
    assert metrics == {
        "forward_perplexity": pytest.approx(forward.mean().exp().item()),
        "backward_perplexity": pytest.approx(backward.mean().exp().item()),
        "perplexity": pytest.approx(torch.cat([forward, backward]).mean().exp().item()),
        "tokens": NUM_TARGETS,
    }


def test_every_weight_gets_a_gradient(vocabulary, batches):
    for num_samples in (None, 5):
        model = build(vocabulary, num_samples=num_samples)
        sum(model(**batch)["loss"] for batch in batches(num_steps=30)).backward()
        assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_gradients_of_a_sparse_softmax_are_sparse_and_equal_to_dense_ones(vocabulary, batches):
    gradients = []
    for sparse in (False, True):
        model = build(vocabulary, num_samples=5, sparse_softmax=sparse)
        torch.manual_seed(1)
        model(**batches()[0])["loss"].backward()
        assert model.language_model.softmax.weight.grad.is_sparse == sparse
        gradients.append({name: p.grad.to_dense() for name, p in model.named_parameters()})
    for name, dense in gradients[0].items():
        assert torch.allclose(gradients[1][name], dense, atol=1e-7), name


def test_dropout_is_for_training(vocabulary, batches):
    [batch, *_] = batches()
    model = build(vocabulary, dropout=0.5)
    assert model(**batch)["loss"] != build(vocabulary)(**batch)["loss"]
    assert model.eval()(**batch)["loss"] == build(vocabulary).eval()(**batch)["loss"]


def test_the_size_of_the_vocabulary_follows_from_the_vocabulary(vocabulary):
    options = small_options(num_words=99)
    model = build(vocabulary, options=options)
    assert model.options.num_words == len(WORDS) and model.language_model.softmax.num_words == len(WORDS)


def test_a_model_of_word_ids_reads_them(vocabulary, batches):
    options = small_options()
    del options["char_cnn"]
    model = build(vocabulary, options=options)
    for batch in batches(max_characters=None):
        assert torch.isfinite(model(**batch)["loss"])


def test_it_goes_by_a_name_of_its_own_too():
    assert Model.by_name("elmo_language_model") is Model.by_name("language_model")


@pytest.mark.parametrize("num_samples", [0, -1, 12, 100])
def test_an_impossible_number_of_samples_is_refused(vocabulary, num_samples):
    with pytest.raises(ConfigurationError, match=f"`num_samples` must be between 1 and 11, .* but it is {num_samples}"):
        build(vocabulary, num_samples=num_samples)


def test_options_that_are_none_are_refused_with_their_key(vocabulary):
    with pytest.raises(ConfigurationError, match="`options` of the language model: The options have no 'lstm'"):
        build(vocabulary, options={})


def test_windows_of_another_width_than_the_options_are_refused(vocabulary, batches):
    with pytest.raises(ConfigurationError, match="The language model: .* 7 characters .* `max_characters: 10`"):
        build(vocabulary)(**batches(max_characters=7)[0])


def test_a_vocabulary_without_the_words_is_refused():
    with pytest.raises(ConfigurationError, match="no words in the namespace 'elmo_words'"):
        build(Vocabulary())


@pytest.fixture(scope="module")
def trained(project_root, tmp_path_factory):
    """A directory of training; what it was trained on is not where its configuration says any more."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("fixtures", "training_configs"):
            shutil.copytree(project_root / name, folder / name)
        train(folder / "out")
    shutil.rmtree(folder / "fixtures")
    return folder / "out"


def test_a_text_of_one_window_is_reported_without_a_speed(vocabulary, batches):
    model = build(vocabulary).eval()
    [batch] = batches(num_steps=30)
    model(**batch)
    assert set(model.get_metrics(reset=True)) == {"forward_perplexity", "backward_perplexity", "perplexity", "tokens"}


def evaluate(archive, path, overrides="", batch_size=None):
    return evaluate_from_archive(str(archive), str(path), batch_size=batch_size, cmd_overrides=overrides)


def test_training_reports_perplexities_of_every_epoch_and_learns(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["training_tokens"] == 16808 + 1500 and metrics["validation_tokens"] == 1711 + 150
    assert metrics["best_validation_perplexity"] == metrics["validation_perplexity"]
    assert metrics["training_tokens_per_second"] > 0
    # 167 words: a model that knows nothing has about that perplexity.
    assert metrics["validation_perplexity"] < 90
    assert 1 < metrics["validation_forward_perplexity"] < 90 and 1 < metrics["validation_backward_perplexity"] < 90


def test_perplexity_of_an_archive_is_that_of_the_oracle_over_all_of_the_text(trained, project_root, tmp_path):
    heldout = project_root / HELDOUT
    archive = trained / "model.tar.gz"
    expected = oracle_perplexities(load_archive(str(archive)).model, read_sentences(heldout), tmp_path)
    metrics = evaluate(archive, heldout, batch_size=1)
    assert metrics["forward_perplexity"] == pytest.approx(expected[0], rel=1e-5)
    assert metrics["backward_perplexity"] == pytest.approx(expected[1], rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(math.sqrt(expected[0] * expected[1]), rel=1e-5)
    assert metrics["tokens"] == 1711 + 150


def test_windows_of_any_length_give_the_same_perplexity(trained, project_root):
    found = [
        evaluate(
            trained / "model.tar.gz", project_root / HELDOUT, json.dumps({"validation_data_loader.num_steps": steps})
        )
        for steps in (7, 20, 1000)
    ]
    numpy.testing.assert_allclose([metrics["perplexity"] for metrics in found], found[0]["perplexity"], rtol=1e-5)
    assert {metrics["tokens"] for metrics in found} == {1711 + 150}


def test_other_batch_sizes_and_files_named_by_a_pattern_count_every_token_once(trained, project_root, tmp_path):
    lines = (project_root / HELDOUT).read_text().splitlines(keepends=True)
    for number in range(3):
        (tmp_path / f"heldout{number}.txt").write_text("".join(lines[number * 50 : number * 50 + 50]))
    whole = evaluate(trained, project_root / HELDOUT, batch_size=1)
    for batch_size in (1, 5, 200):
        metrics = evaluate(trained, tmp_path / "heldout*", batch_size=batch_size)
        assert metrics["tokens"] == 1711 + 150
        # Rows begin with zeros, so the numbers differ, a little.
        assert metrics["perplexity"] == pytest.approx(whole["perplexity"], rel=1e-5 if batch_size == 1 else 0.2)


def test_the_losses_of_an_archive_are_those_of_the_model_that_was_trained(trained):
    archive, directory = load_archive(str(trained / "model.tar.gz")).model, load_archive(str(trained)).model
    assert isinstance(archive.language_model, LanguageModel)
    for name, value in archive.state_dict().items():
        assert torch.equal(directory.state_dict()[name], value)


def test_sampling_sparse_gradients_and_clipping_train_together(project_root, tmp_path, monkeypatch):
    monkeypatch.chdir(project_root)
    train(tmp_path / "out", model__num_samples=40, model__sparse_softmax=True, dataset_reader__max_instances=300)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert "training_perplexity" not in metrics and metrics["training_sampled_loss"] > 0
    assert metrics["validation_perplexity"] < 167
