import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/', '.tools/', 'dist/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='logger'] > TemplateLiteral",
          message: 'A log message is a fixed text; what differs goes into its fields.',
        },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // The hot path indexes arrays within checked bounds; an assertion there costs nothing at run time.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    // The way of a request: what many arguments would hide here is paid by every request.
    files: [
      'src/{app,exchange,extproc,apis,route,cache,record,budgets,sessions,experiments,grades}/**/*.ts',
      'src/router/{model,online,candidates}/*.ts',
      'src/classify/*.ts',
      'src/classify/text/*.ts',
    ],
    // Tests are tables and cases side by side, not steps. What simulates and trains serves no request.
    ignores: ['**/*.test.ts', '**/simulate.ts', 'src/classify/text/train.ts'],
    rules: { 'max-params': ['error', 5] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/testing/**'],
    rules: { 'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }] },
  },
  {
    // Labels of metrics are given one by one, up to seven: a list of them would be made several times a request.
    files: ['src/record/{tally,metrics,genai-metrics}.ts'],
    rules: { 'max-params': 'off' },
  },
);
