import { describe, expect, it } from 'vitest';
import { formatJson } from '../../src/serve/format-json';

describe('JSON', () => {
  it.each([
    ['{"b":1,"1":[]}', '{"b": 1, "1": []}'],
    ['12345678901234567890', '12345678901234567890'],
    ['{"a":{"b":1e400}}', '{\n  "a": {"b": 1e400}\n}'],
    ['"a\\"{,}"', '"a\\"{,}"'],
    ['["[]"]', '["[]"]'],
  ])('keeps every digit, key and string: %s', (text, drawn) => {
    expect(formatJson(text)).toBe(drawn);
  });

  it.each(['', '{', 'x', '[1,]', '['.repeat(50_000)])('is told from what is none: %.20s', text => {
    expect(formatJson(text)).toBe(null);
  });

  it('stays as it came where it is nested too deeply, and is quick where it looks so', () => {
    expect(formatJson('['.repeat(5000) + ']'.repeat(5000))).toBe(null);
    const text = JSON.stringify(['['.repeat(90_000)]);
    expect(formatJson(text)).toContain('[');
  });
});
