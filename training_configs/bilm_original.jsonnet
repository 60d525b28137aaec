// The size of the original ELMo (93.6M parameters): for a GPU and a billion words.
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 4096,
  projection_dim:: 512,
  num_highway:: 2,
  cuda_device:: 0,
}
