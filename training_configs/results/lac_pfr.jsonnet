// Chinese words, classes and names: People's Daily, January 1998 (Peking University; free for research).
//
//   DATA=pfr199801 BILM=zh-elmo STORE=zh-store allennlp elmo-results training_configs/results/lac_pfr.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is a folder with train.txt and dev.txt, BILM one that elmo-export wrote, of a biLM of characters, STORE one with
// its vectors of these texts, so that they are computed once and not in each epoch of each training (docs/results.md has
// the commands); what it lacks is computed. The third arm repeats two mistakes of the reference demonstration
// (docs/tasks.md).
local data = std.extVar('DATA');
local overrides = {
  train_data_path: data + '/train.txt',
  validation_data_path: data + '/dev.txt',
  test_data_path: null,
  evaluate_on_test: false,
  'dataset_reader.tag_scheme': 'BIO',
  'model.tag_scheme': 'BIO',
  'data_loader.batch_sampler.batch_size': 32,
  'trainer.num_epochs': 3,
};
local with_elmo = {
  config: 'training_configs/lac_with_elmo.jsonnet',
  overrides: overrides + (import 'lib/stored_elmo.libsonnet'),
};
{
  task: 'Chinese lexical analysis',
  data: "People's Daily, January 1998",
  metrics: [
    { key: 'best_validation_f1', title: 'joint F1', scale: 100 },
    { key: 'best_validation_segmentation_f1', title: 'segmentation F1', scale: 100 },
    { key: 'best_validation_name_f1', title: 'name F1', scale: 100 },
  ],
  arms: [
    { name: 'baseline', config: 'training_configs/lac_baseline.jsonnet', overrides: overrides },
    with_elmo { name: '+ ELMo' },
    with_elmo {
      name: '+ ELMo with two mistakes',
      packages: ['benchmarks.lac_ablation'],
      overrides+: { 'model.text_field_embedder.token_embedders.elmo.type': 'elmo_precomputed_with_mistakes' },
    },
  ],
  seeds: [1, 2, 3],
}
