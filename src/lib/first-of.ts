/** The answer of the first rule that has one. */
export function firstOf<Subject, Answer extends object>(
  rules: readonly ((subject: Subject) => Answer | undefined)[],
  subject: Subject,
): Answer | undefined {
  for (const rule of rules) {
    const answer = rule(subject);
    if (answer) return answer;
  }
  return undefined;
}
