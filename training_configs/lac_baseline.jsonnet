// Chinese words, their classes and names in one pass. lac_with_elmo.jsonnet and lac_baseline.jsonnet differ in `elmo`
// alone.
//
//   allennlp train training_configs/lac_with_elmo.jsonnet -s OUT
//   allennlp predict OUT/model.tar.gz raw.txt --predictor elmo_lac
//
// On your own files, and with your own biLM of characters (docs/tasks.md):
//
//   -o '{"train_data_path": "my/train.txt", "validation_data_path": "my/dev.txt", "test_data_path": "my/test.txt",
//        "model.text_field_embedder.token_embedders.elmo.options_file": "my/options.json",
//        "model.text_field_embedder.token_embedders.elmo.weight_file": "my/weights.hdf5"}'
//
// or in a copy of this file, where every knob of lib/lac.libsonnet can be set too.
(import 'lib/lac.libsonnet') + {
  train_data:: 'fixtures/lac/train.txt',
  dev_data:: 'fixtures/lac/dev.txt',
  test_data:: 'fixtures/lac/test.txt',
  elmo:: null,
}
