import { writeFileSync } from 'node:fs';
import { parameterTables } from '../src/apis/parameters.ts';

const tables = parameterTables.map(({ title, rules }) => {
  const lines = rules.map(
    ({ parameters, values, models }) => `- ${parameters.map((name) => `\`${name}\``).join(', ')} (${values}): ${models}`,
  );
  return `## ${title}\n\n${lines.join('\n')}\n`;
});

const page = `<!-- Generated from src/apis by \`npm run build\`. -->
# Parameters that models refuse

A provider answers 400 to a parameter that a model does not take. Sluice never lets routing cause that. The lists below name parameters, in brackets the values refused, and the models that refuse them.

- **A model that refuses a parameter of the request is no candidate** for it (\`parameter\` in \`explain\`, with its name). The model that the app asked for is never checked.
- **What only has another name is renamed**: \`max_tokens\` becomes \`max_completion_tokens\` for OpenAI's models that think, and the other way round for Mistral and DeepSeek. The attempt's \`adapted\` says so.
- **If a chosen model refuses a parameter all the same**, the requested model answers, once, also in a section without \`fallback\`. The attempt ends with \`unsupported-parameter\`, [SluiceParameterRefused](runbooks.md#sluiceparameterrefused) warns, and this process does not offer the model such a request again. The same happens if OpenAI wants the organization verified before it streams the chosen model. It does not happen where a rule, an override or a sensitivity pattern chose the model, nor without chains.
- **\`sluice validate\` warns** where the candidates of a tier differ in what they take.

\`tools.TYPE\` stands for a tool that is no function of the app's own, \`messages.prefill\` for an answer that is begun. A name that ends in \`*\` stands for all that begin so. A model that no line is about is taken to accept a parameter. Sources: \`src/apis/*/parameters.ts\`.

${tables.join('\n')}`;

writeFileSync(new URL('../docs/parameters.md', import.meta.url), page);
