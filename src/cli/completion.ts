import { Argument, type Command, type Option } from 'commander';

const shells = ['bash', 'zsh', 'fish'] as const;

/** `sluice completion bash|zsh|fish`: prints a completion script for the shell, generated from the existing commands. */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .description('a script that completes commands and flags: source it, or put it where your shell looks')
    .addHelpText(
      'after',
      '\nbash: source <(sluice completion bash)\nzsh: source <(sluice completion zsh)\nfish: sluice completion fish | source',
    )
    .action((shell: (typeof shells)[number]) => {
      process.stdout.write(completion(program, shell));
    });
}

/** A shell script for the commands of a program. */
export function completion(program: Command, shell: (typeof shells)[number]): string {
  const nodes = nodesOf(program, []);
  return shell === 'fish' ? fish(program.name(), nodes) : shell === 'bash' ? bash(program.name(), nodes) : zsh(program.name(), nodes);
}

/** Completions after one command: its subcommands, its flags, and the values of flags with a closed list. */
interface Node {
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly flags: readonly Option[];
}

function nodesOf(command: Command, path: readonly string[]): Node[] {
  return [
    {
      path,
      commands: command.commands.map((each) => ({ name: each.name(), description: each.description() })),
      flags: command.options.filter(({ long }) => long != null),
    },
    ...command.commands.flatMap((each) => nodesOf(each, [...path, each.name()])),
  ];
}

const words = ({ commands, flags }: Node): string =>
  [...commands.map(({ name }) => name), ...flags.map(({ long }) => long!), '--help'].join(' ');

/** Branches of a shell's `case`: by the command so far, and by command and flag if the flag's values are known. */
function cases(nodes: readonly Node[], then: (words: string) => string): string {
  const values = nodes.flatMap(({ path, flags }) =>
    flags.flatMap(({ long, argChoices }) =>
      argChoices === undefined ? [] : [`    '${[...path, long!].join(' ')}') ${then(argChoices.join(' '))} ;;`],
    ),
  );
  return [...values, ...nodes.map((node) => `    '${node.path.join(' ')}') ${then(words(node))} ;;`)].join('\n');
}

/** The shell function that finds the command so far in a line: the words that are commands, in order. */
function soFar(nodes: readonly Node[]): string {
  return nodes
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `'${path.join(' ')}'`)
    .join('|');
}

function bash(name: string, nodes: readonly Node[]): string {
  return `# bash completion of ${name}
_${name}() {
  local word path='' next current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${soFar(nodes)}) path="$next" ;; esac
  done
  # A flag whose values are known, else what the command takes.
  for next in "\${path:+$path }$before" "$path"; do
    case "$next" in
${cases(nodes, (list) => `words='${list}'`)}
    esac
    [ -n "$words" ] && break
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _${name} ${name}
`;
}

function zsh(name: string, nodes: readonly Node[]): string {
  return `#compdef ${name}
_${name}() {
  local word key='' next list=''
  for word in "\${words[@]:1:$((CURRENT - 2))}"; do
    next="\${key:+$key }$word"
    case "$next" in ${soFar(nodes)}) key="$next" ;; esac
  done
  for next in "\${key:+$key }\${words[CURRENT-1]}" "$key"; do
    case "$next" in
${cases(nodes, (values) => `list='${values}'`)}
    esac
    [ -n "$list" ] && break
  done
  compadd -- \${=list} || _files
}
compdef _${name} ${name}
`;
}

function fish(name: string, nodes: readonly Node[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, commands, flags }) => {
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const none = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ name: each }) => each).join(' ')}`];
    const when = [...seen, ...none].join('; and ');
    const condition = when === '' ? '' : ` -n ${quoted(when)}`;
    return [
      ...commands.map((each) => `complete -c ${name}${condition} -f -a ${each.name} -d ${quoted(each.description)}`),
      ...flags.map(
        ({ long, description, required, argChoices }) =>
          `complete -c ${name}${seen.length === 0 ? '' : ` -n ${quoted(seen.join('; and '))}`} -l ${long!.slice(2)}${required ? ' -r' : ''}${argChoices === undefined ? '' : ` -f -a ${quoted(argChoices.join(' '))}`} -d ${quoted(description)}`,
      ),
    ];
  });
  return `# fish completion of ${name}\n${lines.join('\n')}\n`;
}
