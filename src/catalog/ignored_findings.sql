SELECT i.fingerprint FROM advisor.ignored_findings i
