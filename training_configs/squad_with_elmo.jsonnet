// Questions on English passages, whose answers are spans of them. squad_with_elmo.jsonnet and squad_baseline.jsonnet
// differ in `elmo` alone.
//
//   allennlp train training_configs/squad_with_elmo.jsonnet -s OUT
//
// On SQuAD 1.1 or your own files in its layout, and with your own biLM:
//
//   -o '{"train_data_path": "my/train.json", "validation_data_path": "my/dev.json",
//        "data_loader.batch_sampler.batch_size": 32,
//        "model.text_field_embedder.token_embedders.elmo.options_file": "my/options.json",
//        "model.text_field_embedder.token_embedders.elmo.weight_file": "my/weights.hdf5"}'
//
// or in a copy of this file, where every knob of lib/reader.libsonnet can be set too. lib/reader_full.libsonnet has
// the sizes of the paper, for a GPU.
(import 'lib/reader.libsonnet') + {
  train_data:: 'fixtures/reading/english_train.json',
  dev_data:: 'fixtures/reading/english_dev.json',
  test_data:: null,
  elmo:: { options_file: 'fixtures/bilm/options.json', weight_file: 'fixtures/bilm/weights.hdf5' },
}
