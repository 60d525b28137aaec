// A few hundred thousand words in minutes on two CPU cores: what `make demo` trains.
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 256,
  projection_dim:: 64,
  filters:: [[1, 16], [2, 16], [3, 32], [4, 64]],
  num_samples:: 512,
  batch_size:: 32,
  num_epochs:: 2,
}
