import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { TextField } from './heads.ts';
import type { TextRow } from './example.ts';

/**
 * Public rows that may train the shipped model: tiers of CommonstackAI/UncommonRoute (MIT), and from lm-sys/RouteLLM the subjects of MMLU's
 * questions and GSM8K's (Apache-2.0, questions MIT). They provide tiers and fields; their levels and tasks follow one project's style and
 * are not used.
 */

/** Field of each MMLU subject; subjects that match no single field are left out. */
const fieldsOfSubjects: Readonly<Partial<Record<TextField, string>>> = {
  medical:
    'anatomy clinical_knowledge college_medicine human_aging medical_genetics nutrition professional_medicine virology human_sexuality',
  legal: 'international_law jurisprudence professional_law',
  finance: 'professional_accounting econometrics high_school_macroeconomics high_school_microeconomics',
  maths: 'abstract_algebra college_mathematics elementary_mathematics high_school_mathematics high_school_statistics formal_logic',
  code: 'college_computer_science high_school_computer_science',
  technology: 'machine_learning computer_security',
  science:
    'astronomy college_biology high_school_biology college_chemistry high_school_chemistry college_physics high_school_physics conceptual_physics electrical_engineering',
  humanities:
    'philosophy world_religions prehistory high_school_world_history high_school_us_history high_school_european_history sociology professional_psychology high_school_psychology logical_fallacies moral_disputes high_school_government_and_politics high_school_geography us_foreign_policy security_studies',
};

const tierOf: Readonly<Record<string, number>> = { SIMPLE: 0, MEDIUM: 1, COMPLEX: 2, REASONING: 2 };

function read<T>(file: string): T[] {
  return gunzipSync(readFileSync(file))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

const unlabelled = { system: '', task: null, fields: null, level: null, tier: null } as const;

/** Labelled tiers: those of the split `train`, or the others. */
export function tierRows(folder: string, split: 'train' | 'held-out'): TextRow[] {
  return read<{ prompt: string; expected_tier: string; split: string }>(join(folder, 'tiers.jsonl.gz'))
    .filter((row) => (row.split === 'train') === (split === 'train'))
    .map(({ prompt, expected_tier }) => ({
      ...unlabelled,
      prompt,
      tier: tierOf[expected_tier] ?? null,
      house: true,
      group: 'tiers',
      weight: 0.5,
    }));
}

/** Questions whose subject determines the field, without their answer options. */
export function subjectRows(folder: string): TextRow[] {
  const fields = new Map<string, TextField>(
    Object.entries(fieldsOfSubjects).flatMap(([field, subjects]) =>
      subjects.split(' ').map((subject) => [`mmlu_${subject}`, field as TextField] as const),
    ),
  );
  return read<{ prompt: string; source: string; task: string }>(join(folder, 'train.jsonl.gz')).flatMap(
    ({ prompt, source, task }): TextRow[] => {
      if (source === 'gsm8k') return [{ ...unlabelled, prompt, task: 'maths', fields: ['maths'], group: 'gsm8k', weight: 0.3 }];
      const field = fields.get(task);
      return source !== 'mmlu' || field === undefined
        ? []
        : [{ ...unlabelled, prompt: prompt.replace(/\n[A-J][.)] [\s\S]*$/, ''), fields: [field], group: 'mmlu', weight: 0.3 }];
    },
  );
}
