import type { PackageDefinition } from '@grpc/proto-loader';
import descriptor from 'protobufjs/ext/descriptor/index.js';

interface FieldView {
  readonly name?: string;
  typeName?: string;
}
interface MessageView {
  name?: string;
  readonly options?: { readonly mapEntry?: boolean } | null;
  readonly field?: readonly FieldView[];
  readonly nestedType?: readonly MessageView[];
}
interface FileView {
  readonly name?: string;
  readonly package?: string;
  dependency?: string[];
  readonly messageType?: readonly MessageView[];
}

/** Type names that the fields of a message and of those inside it refer to. */
function* references({ field = [], nestedType = [] }: MessageView): Generator<string> {
  for (const { typeName } of field) if (typeName !== undefined && typeName !== '') yield typeName.replace(/^\./, '');
  for (const nested of nestedType) yield* references(nested);
}

/** Gives the entries of maps the names that protobuf prescribes: `AttributesEntry` for the map `attributes`. */
function nameEntries({ field = [], nestedType = [] }: MessageView): void {
  for (const nested of nestedType) {
    nameEntries(nested);
    if (nested.options?.mapEntry !== true) continue;
    const map = field.find(({ typeName = '' }) => typeName.split('.').at(-1) === nested.name);
    if (map === undefined) continue;
    const camel = map.name!.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase());
    map.typeName = map.typeName!.replace(/[^.]*$/, `${camel}Entry`);
    nested.name = `${camel}Entry`;
  }
}

/**
 * The same definitions with descriptors that clients of reflection accept. proto-loader makes one file of a package, leaves its imports out,
 * and names the entries of maps in its own way.
 */
export function repaired(all: PackageDefinition): PackageDefinition {
  const { FileDescriptorProto } = descriptor;
  const files = new Map<string, FileView>();
  for (const { fileDescriptorProtos } of Object.values(all))
    for (const bytes of (fileDescriptorProtos as readonly Buffer[] | undefined) ?? []) {
      const file = FileDescriptorProto.decode(bytes) as FileView;
      for (const message of file.messageType ?? []) if (!files.has(file.name!)) nameEntries(message);
      if (!files.has(file.name!)) files.set(file.name!, file);
    }
  const packages = [...files.values()].sort((a, b) => b.package!.length - a.package!.length);
  for (const file of files.values()) {
    const imports = new Set<string>();
    for (const message of file.messageType ?? [])
      for (const name of references(message)) {
        const home = packages.find((each) => name.startsWith(`${each.package!}.`));
        if (home !== undefined && home !== file) imports.add(home.name!);
      }
    file.dependency = [...imports];
  }
  const encoded = [...files.values()].map((file) => Buffer.from(FileDescriptorProto.encode(file as never).finish()));
  return Object.fromEntries(
    Object.entries(all).map(([name, definition]) => [name, Object.assign({}, definition, { fileDescriptorProtos: encoded })]),
  );
}
