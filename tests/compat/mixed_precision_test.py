import pytest
import torch
from allennlp.nn.parallel import ddp_accelerator
from allennlp.training import gradient_descent_trainer

from tests.compat import scenarios


def test_without_the_mend_every_training_warns(unmended):
    warned = " ".join(unmended["warnings_of_mixed_precision"]["result"])
    assert "`torch.cuda.amp.autocast(args...)` is deprecated" in warned
    assert "`torch.cuda.amp.GradScaler(args...)` is deprecated" in warned


def test_with_the_mend_no_training_warns(tmp_path):
    assert scenarios.warnings_of_mixed_precision(tmp_path) == []


@pytest.mark.filterwarnings("ignore:torch.cuda.amp.GradScaler is enabled, but CUDA is not available")
@pytest.mark.parametrize("module", [gradient_descent_trainer, ddp_accelerator])
def test_the_context_and_the_scaler_are_those_of_the_gpu_in_float16(module):
    context = module.amp.autocast(False)
    assert (context.device, context.fast_dtype, context._enabled) == ("cuda", torch.float16, False)
    assert isinstance(module.amp.GradScaler(), torch.amp.GradScaler)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="mixed precision of AllenNLP's trainer needs a GPU")
def test_a_training_on_the_gpu_runs_in_mixed_precision_with_clipped_gradients(tmp_path):
    trainer = {"use_amp": True, "cuda_device": 0, "grad_norm": 1.0, "grad_clipping": 0.1}
    metrics = scenarios.train(tmp_path, {"trainer": trainer})
    assert 0.0 < metrics["validation_loss"] < 2.0
