// A biLM so small that it learns the fixture corpus in under a minute: to see that everything works.
//
//   allennlp train training_configs/bilm.jsonnet -s OUT
//
// On your own text (`allennlp elmo-prepare` writes these files, and prints the whole command):
//
//   -o '{"train_data_path": "my/train*.txt", "validation_data_path": "my/heldout.txt", "vocabulary.file": "my/vocabulary.txt"}'
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 64,
  projection_dim:: 16,
  filters:: [[1, 8], [2, 16], [3, 32]],
  character_dim:: 8,
  num_samples:: null,
  batch_size:: 16,
  num_epochs:: 6,
}
