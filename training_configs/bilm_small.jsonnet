// The size of the released "small" ELMo (13.6M parameters): some millions of words on a CPU in hours, on a GPU in minutes.
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 1024,
  projection_dim:: 128,
  num_samples:: 1024,
  batch_size:: 32,
}
