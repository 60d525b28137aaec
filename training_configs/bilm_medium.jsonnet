// The size of the released "medium" ELMo (28.0M parameters): for a GPU.
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 2048,
  projection_dim:: 256,
  cuda_device:: 0,
}
