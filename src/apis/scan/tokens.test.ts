import { describe, expect, it } from 'vitest';
import { readExchange } from '../index.ts';
import { textTokens } from './estimate.ts';
import { tokenWeights } from './token-weights.ts';
import { weightsFor } from './tokenizers.ts';

/** Texts with their numbers of tokens in o200k_base. */
const counted: readonly [string, number, string][] = [
  [
    'English',
    42,
    'Our landlord says the boiler will be replaced before winter, but the contract only mentions "reasonable repairs". Could you explain what I may ask for, and draft a polite letter that sets a deadline of two weeks?',
  ],
  [
    'numbers',
    86,
    '48213, 9, 771, 20964, 3.1415, 87, 650218, 12, 4099, 0.275, 118, 93, 5521, 77, 1048576, 31, 6, 908, 44.81, 2507, 19, 83640, 275, 1',
  ],
  ['digits in rows', 60, 'id,qty,price\n10482,7,129.95\n10483,12,8.40\n10484,1,2499.00\n10485,3,64.75\n10486,250,0.18\n10487,31,17.60'],
  [
    'base64',
    173,
    'C4tJRbQs4tY9rVtHpg60mO9P7ckYcAbaIXH/ywpS2JzTE5FNfLQq3gU1o09ulvygt9c10eD4TuLp+UfT0togpJub2VVEPHLmzb3rVzYeRKh/X33ZqICW6rGBj9uaYmisYyMhXQzEuu6VRTNf/qaMsEfnxeFwCN7yeQnX42LqsLQrq2ll1EwC9l3Ne2fGLtS4D28N6TiQJvpBkR/rKnL4vPMzsW2c1Er+JVXDb462HMDX91Xx',
  ],
  [
    'hash',
    108,
    '05714444ab3f3a62f1add020d7bb067e5d69dc7c83b7521a49a56858af331e36b56174b45b2f6ad2a19d009087ab36ee0d590cec33a7828af99598c85f234ea66551a4240b1f9a42518d3000379b665ebd493c5ce397b2faa985c8380f137e16',
  ],
  ['UUIDs', 82, '3f8a1c52-9d07-4be6-a1f3-07c2d95be814\nb60e72d9-15ca-4f38-92ed-c84a3170f5d6\n7d19e4b3-c0a8-46f5-8b27-e5936ad0f1c2'],
  [
    'Russian',
    38,
    'Здравствуйте! Мы переезжаем в другой город в конце месяца. Подскажите, пожалуйста, какие документы нужны для перевода ребёнка в новую школу и сколько времени это обычно занимает?',
  ],
  [
    'Arabic',
    41,
    'مرحبا، أريد أن أتعلم كيف أزرع الطماطم في شرفة منزلي الصغيرة. ما نوع التربة المناسب، وكم مرة يجب أن أسقي النباتات في فصل الصيف؟',
  ],
  [
    'Hindi',
    47,
    'नमस्ते, मुझे अपने गाँव के छोटे खेत के लिए सिंचाई की योजना बनानी है। कृपया बताइए कि कम पानी में कौन सी फसल अच्छी होती है और इसकी लागत कितनी आएगी।',
  ],
  [
    'Chinese',
    42,
    '我们公司下个月要搬到新的办公室，请帮我写一份通知，说明搬迁时间、新地址、停车安排，以及员工需要提前准备的事项。语气要正式但友好。',
  ],
  [
    'Japanese',
    52,
    '来週の会議で新しい商品の企画を発表します。聞き手は営業部の人たちなので、専門用語を使わずに、わかりやすい説明の流れを考えてください。',
  ],
  ['Korean', 37, '다음 주에 부모님과 함께 제주도로 여행을 갑니다. 걷기 편하고 사람이 많지 않은 곳을 중심으로 사흘 일정을 짜 주세요.'],
  [
    'TypeScript',
    85,
    'export async function retry<T>(work: () => Promise<T>, attempts = 3): Promise<T> {\n  for (let i = 1; ; i++) {\n    try {\n      return await work();\n    } catch (error) {\n      if (i >= attempts) throw error;\n      await new Promise((resolve) => setTimeout(resolve, 2 ** i * 100));\n    }\n  }\n}\n',
  ],
  [
    'Python',
    75,
    'import csv\n\ndef totals(path):\n    sums = {}\n    with open(path, newline="") as handle:\n        for row in csv.DictReader(handle):\n            key = row["customer_id"]\n            sums[key] = sums.get(key, 0.0) + float(row["amount"])\n    return sorted(sums.items(), key=lambda item: -item[1])\n',
  ],
  [
    'JSON',
    141,
    '{\n  "order": {\n    "id": 90417,\n    "status": "shipped",\n    "lines": [\n      {\n        "sku": "LAMP-02",\n        "quantity": 2,\n        "price": 39.9\n      },\n      {\n        "sku": "BULB-11",\n        "quantity": 6,\n        "price": 4.25\n      }\n    ],\n    "address": {\n      "street": "12 Harbour Road",\n      "city": "Bristol",\n      "postcode": "BS1 5TY"\n    }\n  },\n  "notify": true,\n  "coupon": null\n}',
  ],
  [
    'JSON in one line',
    52,
    '[{"name":"get_weather","description":"Current weather of a place","parameters":{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"]}}]',
  ],
  [
    'German',
    39,
    'Könnten Sie mir bitte erklären, welche Fristen für die Kündigung einer Mietwohnung gelten und ob der Vermieter die Kaution wegen kleiner Kratzer im Fußboden zurückhalten darf?',
  ],
  [
    'Vietnamese',
    40,
    'Tôi muốn mở một quán cà phê nhỏ gần trường đại học. Xin hãy giúp tôi lập kế hoạch chi phí cho ba tháng đầu tiên và gợi ý tên quán dễ nhớ.',
  ],
];

/** The numbers of tokens of the same texts in the tokenizers of other models. */
const elsewhere: readonly [string, readonly number[]][] = [
  ['gpt-4-turbo', [42, 86, 60, 180, 109, 82, 80, 89, 144, 67, 71, 62, 84, 75, 140, 51, 49, 72]],
  ['gemini-2.5-flash', [42, 129, 94, 172, 175, 105, 36, 44, 51, 41, 32, 46, 100, 92, 166, 53, 38, 35]],
  ['deepseek-chat', [42, 86, 60, 182, 110, 82, 49, 48, 86, 38, 45, 45, 86, 78, 143, 55, 49, 65]],
  ['llama-3.3-70b-instruct', [42, 86, 60, 180, 109, 82, 54, 49, 79, 48, 49, 40, 84, 75, 140, 51, 49, 36]],
  ['qwen3-32b', [42, 129, 94, 189, 176, 101, 56, 50, 132, 38, 48, 45, 86, 75, 148, 51, 49, 35]],
];

/** Estimate of a text by itself, as it stands inside a JSON string. */
function estimate(
  text: string,
  encode: (text: string) => string = (plain) => JSON.stringify(plain),
  weights: readonly number[] = tokenWeights.o200k,
): number {
  const body = Buffer.from(encode(text));
  return textTokens(body, [{ spans: [1, body.length - 1, 1] }], body.length - 2, weights);
}

function escapeAll(text: string): string {
  return JSON.stringify(text).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function promptTokens(body: object): number {
  const read = readExchange(
    { kind: 'readable', api: 'openai-chat', operation: 'generate', pathModel: null, stream: null },
    Buffer.from(JSON.stringify(body)),
  );
  if (!read.ok) throw new Error(read.reason);
  return read.exchange.promptTokens;
}

describe('estimates beside the tokenizer', () => {
  it.each(counted)('%s: within 35 in 100 of %i', (_, tokens, text) => {
    const ratio = estimate(text) / tokens;
    expect(ratio).toBeGreaterThan(0.65);
    expect(ratio).toBeLessThan(1.35);
  });

  it('half of them are within 10%', () => {
    const errors = counted.map(([, tokens, text]) => Math.abs(estimate(text) / tokens - 1)).sort((a, b) => a - b);
    expect(errors[errors.length >> 1]).toBeLessThan(0.1);
  });
});

describe("estimates beside other models' tokenizers", () => {
  it.each(elsewhere)('%s: each within 45%, half of them within 10%', (model, tokens) => {
    const errors = counted.map(([, , text], at) => estimate(text, undefined, weightsFor(model)) / tokens[at]! - 1);
    expect(counted.filter((_, at) => Math.abs(errors[at]!) > 0.45).map(([name]) => name)).toEqual([]);
    expect(errors.map(Math.abs).sort((a, b) => a - b)[errors.length >> 1]).toBeLessThan(0.1);
  });

  it('a model belongs to a family by its name; one whose tokenizer is not public to o200k', () => {
    const familyOf = (model: string): string => Object.entries(tokenWeights).find(([, weights]) => weights === weightsFor(model))![0];
    const models = {
      o200k: ['gpt-4o-mini', 'gpt-4.1', 'gpt-5.1', 'o3', 'claude-sonnet-4-5', 'mistral-large-latest', 'command-a', 'auto', ''],
      cl100k: ['gpt-4', 'gpt-4-turbo', 'GPT-3.5-turbo', 'gpt-35-turbo', 'text-embedding-3-large', 'openai/gpt-4-0613'],
      gemini: ['gemini-2.5-pro', 'models/gemini-2.0-flash', 'google/gemma-3-27b-it'],
      deepseek: ['deepseek-chat', 'deepseek-ai/DeepSeek-R1'],
      llama: ['meta-llama/Llama-3.3-70B-Instruct', 'us.meta.llama3-1-8b-instruct-v1:0', 'deepseek-r1-distill-llama-70b'],
      qwen: ['qwen3-32b', 'Qwen/QwQ-32B', 'deepseek-r1-distill-qwen-7b'],
    };
    for (const [family, names] of Object.entries(models))
      expect(names.map((name) => [name, familyOf(name)])).toEqual(names.map((name) => [name, family]));
  });

  it("a request's prompt is counted for the model that it names", () => {
    const digits = '8 1 6 2 9 3 0 5 7 4 '.repeat(100);
    const tokens = (model: string): number => promptTokens({ model, messages: [{ role: 'user', content: digits.replaceAll(' ', '') }] });
    expect(tokens('qwen3-32b')).toBeGreaterThan(2 * tokens('gpt-5.1'));
  });
});

describe('how a text is written', () => {
  it.each(counted.filter(([name]) => name !== 'German' && name !== 'Vietnamese'))(
    '%s: escapes count as what they stand for',
    (_, _tokens, text) => {
      expect(estimate(text, escapeAll)).toBeCloseTo(estimate(text), 6);
    },
  );

  it('an emoji in two escapes counts once', () => {
    expect(estimate('well done 👍 again', escapeAll)).toBeCloseTo(estimate('well done 👍 again'), 6);
  });

  it('every byte string is counted, wherever it is cut', () => {
    const bytes = Buffer.from(counted.map(([, , text]) => escapeAll(text) + text).join('\\'));
    for (let start = 0; start < 600; start++) {
      const tokens = textTokens(bytes, [{ spans: [start * 7, start * 7 + 1 + (start % 40), 1] }], 1 + (start % 40));
      expect(tokens).toBeGreaterThanOrEqual(0);
      expect(tokens).toBeLessThan(60);
    }
  });
});

describe('long prompts', () => {
  const unit = counted.map(([, , text]) => text).join('\n');
  const total = counted.reduce((sum, [, tokens]) => sum + tokens, 0);

  it.each([1, 40, 400])('are estimated alike at %i times the texts, in one message or in many', (times) => {
    const one = promptTokens({ model: 'm', messages: [{ role: 'user', content: unit.repeat(times) }] }) - 4;
    const many = promptTokens({ model: 'm', messages: Array.from({ length: times }, () => ({ role: 'user', content: unit })) }) - 4 * times;
    for (const tokens of [one, many]) {
      expect(tokens / (total * times)).toBeGreaterThan(0.85);
      expect(tokens / (total * times)).toBeLessThan(1.15);
    }
  });

  it('tool definitions beyond those that are read count as those did', () => {
    const tool = (n: number): object => ({
      type: 'function',
      function: { name: `lookup${1_000 + n}`, description: 'Looks up one entry of the register', parameters: { type: 'object' } },
    });
    const tokens = (count: number): number =>
      promptTokens({ model: 'm', messages: [{ role: 'user', content: 'hi' }], tools: Array.from({ length: count }, (_, n) => tool(n)) });
    expect(tokens(3_000) / tokens(300)).toBeGreaterThan(9);
    expect(tokens(3_000) / tokens(300)).toBeLessThan(11);
  });
});
