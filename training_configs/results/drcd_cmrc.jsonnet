// Reading comprehension, Chinese: from DRCD (traditional script, CC BY-SA 3.0) to the trial part of CMRC 2018
// (simplified, CC BY-SA 4.0).
//
//   DATA=qa BILM=elmo STORE=store allennlp elmo-results training_configs/results/drcd_cmrc.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is a folder with CMRC's file in cmrc2018/, and in drcd/ DRCD's in simplified script, as
// `benchmarks/simplified_questions.py` makes them; `benchmarks/sample_questions.py` makes samples. BILM is a folder that
// elmo-export wrote, of a biLM of characters, STORE one with its vectors of these texts, so that they are computed once
// and not in each epoch of each training (docs/results.md has the commands); what it lacks is computed.
local data = std.extVar('DATA');
local overrides = {
  train_data_path: data + '/drcd/*.json',
  validation_data_path: data + '/cmrc2018/cmrc2018_trial.json',
  'data_loader.batch_sampler.batch_size': 8,
  // Most passages are longer than the shipped window; these cost less.
  'dataset_reader.window': 160,
  'dataset_reader.stride': 120,
  'validation_dataset_reader.window': 160,
  'validation_dataset_reader.stride': 120,
  'trainer.num_epochs': 5,
};
local with_elmo = overrides + (import 'lib/stored_elmo.libsonnet');
{
  task: 'Reading comprehension, Chinese',
  data: 'DRCD, 7,017 questions in simplified script, to the trial part of CMRC 2018',
  metrics: [
    { key: 'best_validation_f1', title: 'F1', scale: 100 },
    { key: 'best_validation_em', title: 'exact match', scale: 100 },
    { key: 'best_validation_rouge_l', title: 'Rouge-L', scale: 100 },
  ],
  arms: [
    { name: 'baseline', config: 'training_configs/cmrc_baseline.jsonnet', overrides: overrides },
    { name: '+ ELMo', config: 'training_configs/cmrc_with_elmo.jsonnet', overrides: with_elmo },
  ],
  seeds: [1, 2, 3],
}
