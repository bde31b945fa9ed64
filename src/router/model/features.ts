import { featureNames, textFeatures, type TextFeatures } from '../../classify/features.ts';
import { shapeFeatures, shapeNames } from './shape.ts';

/** Names of the tree inputs: the shape of the text, then the classifier's own text features. */
export const treeFeatures: readonly string[] = [...shapeNames, ...featureNames];

/** Fills `out` (treeFeatures.length numbers) for a text whose text features and distinct words are already known. */
export function fillTreeFeatures(text: string, features: TextFeatures, distinctWords: number, out: Float64Array): void {
  shapeFeatures(text, features.tokens, distinctWords, out);
  out.set(features.values, shapeNames.length);
}

export { textFeatures, type TextFeatures };
