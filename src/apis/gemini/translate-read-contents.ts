import type { Part, Source, Turn } from '../common/conversation.ts';
import { isObject, text, writeJson } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { mimeOf } from '../common/media.ts';
import { Members } from '../common/members.ts';
import { foreignSignature } from '../common/models.ts';

/** Calls without a result yet. Google matches results by id if there is one, otherwise by name and order. */
class Calls {
  #count = 0;
  #waiting: { readonly id: string; readonly name: string }[] = [];

  begin(id: string | null, name: string): string {
    const made = id ?? `call_${this.#count}`;
    this.#count++;
    this.#waiting.push({ id: made, name });
    return made;
  }

  end(id: string | null, name: string): string | null {
    const index = this.#waiting.findIndex((call) => (id === null ? call.name === name : call.id === id));
    if (index === -1) return id;
    return this.#waiting.splice(index, 1)[0]!.id;
  }
}

/** Reads the turns of a Gemini request. */
export function readGeminiContents(value: Json | undefined, losses: Losses): readonly Turn[] {
  const contents = Array.isArray(value) ? (value as readonly Json[]) : value === undefined ? [] : [value];
  if (contents.length === 0) throw new Malformed('contents', 'is missing or empty');
  const calls = new Calls();
  return contents.map((entry, index): Turn => {
    const at = `contents[${index}]`;
    const content = new Members(entry, at, losses);
    const role = content.string('role') ?? 'user';
    if (role !== 'user' && role !== 'model' && role !== 'function') throw new Malformed(`${at}.role`, 'is no role that Gemini knows');
    const parts = content
      .some('parts')
      .flatMap((part, place) => readPart(new Members(part, `${at}.parts[${place}]`, losses), calls, losses));
    content.done();
    if (role === 'model' && index === contents.length - 1) losses.refuse(at, 'an answer that is begun can be continued at Gemini only');
    return { role: role === 'model' ? 'assistant' : 'user', parts, at };
  });
}

function readPart(part: Members, calls: Calls, losses: Losses): readonly Part[] {
  const { path } = part;
  const signature = part.string('thoughtSignature');
  // foreignSignature is Sluice's own mark on calls from other models.
  if (signature !== null && signature !== foreignSignature)
    losses.lose(part.at('thoughtSignature'), 'a signature is of use to the model that made it only');
  const words = part.string('text');
  if (part.boolean('thought') === true) {
    losses.lose(`${path}.thoughts`, 'thoughts are of use to the model that had them only');
    return [];
  }
  part.ignore('partMetadata');
  const read: Part[] = words === null ? [] : [{ kind: 'text', text: words }];
  read.push(...readSources(part, losses));
  const call = part.object('functionCall');
  if (call !== null) {
    const name = call.string('name') ?? '';
    const args = call.take('args') ?? {};
    if (!isObject(args)) throw new Malformed(call.at('args'), 'is not an object');
    read.push({ kind: 'call', id: calls.begin(call.string('id'), name), name, args: writeJson(args), at: path });
    call.done();
  }
  const response = part.object('functionResponse');
  if (response !== null) read.push(readResponse(response, path, calls, losses));
  // Code that Google ran, video, and unknown new kinds.
  part.done();
  return read;
}

/** The media of a part, in its body or by URL. */
function readSources(part: Members, losses: Losses): readonly Part[] {
  const read: Part[] = [];
  const inline = part.object('inlineData');
  if (inline !== null) {
    inline.ignore('displayName');
    read.push(
      ...readMedia({ kind: 'base64', mime: inline.string('mimeType') ?? '', data: inline.string('data') ?? '' }, part.path, losses),
    );
    inline.done();
  }
  const file = part.object('fileData');
  if (file !== null) {
    file.ignore('displayName');
    read.push(...readMedia({ kind: 'url', url: file.string('fileUri') ?? '', mime: file.string('mimeType') }, part.path, losses));
    file.done();
  }
  return read;
}

function readResponse(response: Members, at: string, calls: Calls, losses: Losses): Part {
  const name = response.string('name') ?? '';
  const id = calls.end(response.string('id'), name);
  if (id === null) losses.refuse(at, `answers a call of ${name} that is not in the conversation`);
  const value = response.take('response') ?? {};
  const media = (response.list('parts') ?? []).flatMap((entry, index) => {
    const part = new Members(entry, `${at}.functionResponse.parts[${index}]`, losses);
    const read = readSources(part, losses);
    part.done();
    return read;
  });
  response.expect('willContinue', [false], 'results that go on exist at Gemini only');
  response.ignore('scheduling');
  response.done();
  const { words, isError } = resultOf(value);
  return { kind: 'result', id: id ?? '', parts: [{ kind: 'text', text: words }, ...media], isError, at };
}

/** Google's convention: `output` holds a result, `error` a failure; without either the whole object is the result. */
function resultOf(value: Json): { readonly words: string; readonly isError: boolean } {
  if (isObject(value) && Object.keys(value).length === 1) {
    const output = text(value['output']);
    if (output !== null) return { words: output, isError: false };
    const error = text(value['error']);
    if (error !== null) return { words: error, isError: true };
  }
  return { words: writeJson(value), isError: false };
}

const ownFiles = /^gs:|^https:\/\/(?:generativelanguage\.googleapis\.com|(?:www\.)?youtube\.com|youtu\.be)\//;

function readMedia(source: Source, at: string, losses: Losses): readonly Part[] {
  if (source.kind === 'url' && ownFiles.test(source.url)) {
    losses.lose(at, 'a file that Google keeps cannot be read elsewhere');
    return [];
  }
  const mime = mimeOf(source.mime ?? '');
  if (mime.startsWith('image/')) return [{ kind: 'image', source: { ...source, mime }, detail: null, at }];
  if (mime.startsWith('audio/')) return [{ kind: 'audio', source, at }];
  if (mime === 'application/pdf' || mime.startsWith('text/')) return [{ kind: 'document', source, title: null, at }];
  losses.lose(at, `media of the type ${mime === '' ? '(none)' : mime} cannot be carried over`);
  return [];
}
