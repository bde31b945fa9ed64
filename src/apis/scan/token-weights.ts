/**
 * Tokens per unit of each `TokenCounter` count, in its order. Fitted to o200k_base by least squares of the relative error, non-negative,
 * over prose in twenty languages, code, JSON, logs, numbers, base64, hashes and UUIDs, with equal weight for each kind.
 */
export const fittedWeights: readonly number[] = [
  // Words, lower case.
  0.786,
  0,
  0.221,
  0.156,
  0.287,
  // Words, capitalized.
  0.829,
  0,
  0.274,
  0,
  0,
  // Words, several capitals.
  1.052,
  0,
  0,
  0,
  0,
  // Words, inside a run of letters and digits.
  0.636,
  0,
  0,
  0,
  0,
  // Words, noise.
  0.957,
  0.466,
  0,
  0.221,
  0,
  // Letters with accents, digits in threes.
  0.1,
  0.989,
  // White space: before a digit, runs, line ends, line ends after punctuation.
  1.329,
  1.262,
  0.823,
  0,
  // Punctuation: before a letter, alone, runs, changes in a run, further characters.
  0.475,
  1.182,
  0.471,
  0.343,
  0.02,
  // Accents from U+0100 on.
  0.495,
  0,
  0.6,
  0, // latin (those written as escapes)
  0.594,
  0.501,
  0, // symbols
  1.1,
  0.153,
  0, // Greek
  1.1,
  0.106,
  0, // Cyrillic
  0,
  0.41,
  0, // Hebrew
  0,
  0.363,
  0.979, // Arabic
  0.166,
  0.379,
  0.163, // Devanagari
  0.149,
  0.322,
  0, // other Indic
  0,
  0.444,
  0, // Thai, Lao
  0.3,
  1.2,
  0, // others
  0,
  0.37,
  0, // Georgian, Armenian
  0.4,
  0.9,
  0, // wide punctuation
  0.6,
  0.437,
  0, // kana
  0.674,
  0.625,
  0, // Han
  2.123,
  0.024,
  0, // Hangul
  1.954,
  0.5,
  0, // emoji
];
