import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexiconOf } from '../src/classify/text/concept-words.ts';
import { conceptsFile, encodeLexicon } from '../src/classify/text/concepts-file.ts';

/** Makes models/concepts-1.table of the words in data/concepts. */
writeFileSync(conceptsFile, encodeLexicon(lexiconOf(join(import.meta.dirname, '..', 'data', 'concepts')).save()));
