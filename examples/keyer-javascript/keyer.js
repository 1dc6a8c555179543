// The end user's id, and upper and lower case in what the user says, do not matter.

const settings = { drop: '/user', fold_case: true };

const schema = {
  type: 'object',
  properties: {
    drop: { type: 'string', description: 'JSON pointer to the field that does not matter.' },
    fold_case: {
      type: 'boolean',
      description: 'Whether upper and lower case do not matter in what the user says.',
    },
  },
  additionalProperties: false,
};

export const plugin = {
  describe: () => ({
    name: 'keyer-javascript',
    version: '0.1.0',
    summary: "The end user's id, and upper and lower case in what the user says, do not matter",
    configSchema: JSON.stringify(schema),
  }),

  configure(config) {
    for (const [name, value] of Object.entries(JSON.parse(config))) {
      const expected = schema.properties[name]?.type;
      if (!expected) throw `unknown setting \`${name}\``;
      if (typeof value !== expected) throw `\`${name}\` must be a ${expected}`;
      settings[name] = value;
    }
  },
};

export const keyer = {
  decide(request) {
    const edits = [];
    if (request.get(settings.drop) !== undefined) {
      edits.push({ rule: 'drop', change: { tag: 'remove', val: settings.drop } });
    }
    if (settings.fold_case) {
      for (const { pointer, content } of request.texts('user')) {
        const folded = content.toLowerCase();
        if (folded !== content) edits.push(replaced('case', pointer, folded));
      }
    }
    return { tag: 'cache', val: { edits, tags: [] } };
  },
};

// The edit that puts another string where one stands.
function replaced(rule, pointer, text) {
  return { rule, change: { tag: 'replace', val: { pointer, json: JSON.stringify(text) } } };
}
