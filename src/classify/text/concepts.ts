import { modelBytes } from '../../lib/model-file.ts';
import { Lexicon } from '../lexicon.ts';
import { wordConcepts } from '../words.ts';
import { foldConcept } from './concept-words.ts';
import { conceptsFile, decodeLexicon } from './concepts-file.ts';

/** The text model's concepts, with the words that name them in many languages. */
export const concepts = decodeLexicon(modelBytes(conceptsFile), conceptsFile);

/** Words that say yes to what was said before. */
export const confirmations = new Lexicon(wordConcepts.filter(({ name }) => name === 'confirm').map(foldConcept));
