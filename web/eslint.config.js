import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import accessibility from 'eslint-plugin-vuejs-accessibility'
import globals from 'globals'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['**/dist/', '**/node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['apps/**/*.{ts,vue}', 'packages/ui/**/*.{ts,vue}'],
    extends: [
      ts.configs.strictTypeChecked,
      ts.configs.stylisticTypeChecked,
      vue.configs['flat/recommended'],
      accessibility.configs['flat/recommended'],
    ],
    languageOptions: {
      globals: globals.browser,
      parserOptions: {
        parser: ts.parser,
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      // TypeScript knows what is defined.
      'no-undef': 'off',
      // Layout of templates is not linted.
      'vue/html-self-closing': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      // `for` and `id` are enough for a label; nesting as well is not needed.
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
      'vuejs-accessibility/form-control-has-label': 'off',
      // Numbers in sentences are clear as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A room of the demo is the folder that it stands in.
      'vue/multi-word-component-names': ['error', { ignores: ['Room', 'Sparkline'] }],
      'max-lines': ['error', 250],
    },
  },
  {
    // `main.ts` imports a `.vue` file, whose types only vue-tsc knows.
    files: ['apps/*/src/main.ts'],
    rules: { '@typescript-eslint/no-unsafe-argument': 'off' },
  },
  {
    files: ['packages/**/*.ts'],
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // TypeScript knows what is defined.
      'no-undef': 'off',
      // Numbers in sentences are clear as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'max-lines': ['error', 400],
    },
  },
  {
    // Applications say which channels they have: a type that says nothing here does there.
    files: ['packages/vue/src/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-duplicate-type-constituents': 'off',
    },
  },
  {
    // They run in pages as well.
    files: ['packages/**/*.mjs'],
    languageOptions: { globals: { ...globals.node, window: 'readonly' } },
  },
  { files: ['e2e/**/*.mjs', 'eslint.config.js'], languageOptions: { globals: { ...globals.node, document: 'readonly' } } },
)
