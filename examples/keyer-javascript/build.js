// Makes dist/keyer-javascript.wasm of keyer.js.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const here = (path) => new URL(path, import.meta.url);

const { component } = await componentize(await readFile(here('keyer.js'), 'utf8'), {
  witPath: here('../../wit').pathname,
  worldName: 'keyer-plugin',
  // A keyer needs none of these, and a server gives it none.
  disableFeatures: ['clocks', 'fetch-event', 'http', 'random', 'stdio'],
});
await mkdir(here('dist'), { recursive: true });
await writeFile(here('dist/keyer-javascript.wasm'), component);
