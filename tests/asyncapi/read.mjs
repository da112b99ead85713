// Reads AsyncAPI documents with the official parser: `node read.mjs FILE...`, from a folder that has its packages.
// Prints one JSON object a file: what the parser says about it, and what it found in it.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

// The packages are where this is run, not where this file is.
const { Parser } = createRequire(`${process.cwd()}/`)('@asyncapi/parser');

const parser = new Parser();
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(await readFile(file, 'utf8'));
  const operations = document?.allOperations().all() ?? [];
  console.log(JSON.stringify({
    file,
    diagnostics: diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join('.'), message })),
    channels: document?.allChannels().all().length ?? 0,
    sends: operations.filter((operation) => operation.isSend()).length,
    receives: operations.filter((operation) => operation.isReceive()).length,
    replies: operations.filter((operation) => operation.reply()).length,
    messages: document?.components().messages().all().map((message) => message.id()) ?? [],
  }));
}
