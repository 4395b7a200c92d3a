#!/usr/bin/perl
# Cuts a plain dump (standard input) into statements, so that each can be run, and fail, on its own.
#
# usage: statements.pl FOLDER [DATABASE] < dump.sql
#
# FOLDER/statements   one row a statement, in COPY's text format: number, line, database, fate, reason, statement
# FOLDER/rows.N       the rows of a COPY ... FROM stdin, which then reads that file instead
# FOLDER/encoding     the encoding of the dump
#
# The psql commands of a dump are never run: whoever wrote the dump could otherwise run programs as the one who loads it
# (CVE-2025-8714). Nor are COPY's rows ever read as SQL, which psql does when the COPY itself failed.
#
# fate: run      the loader runs it
#       pass     says nothing about the tables of the database: transactions, roles, other databases
#       refuse   listed as left out, with the reason
#       command  a psql command: listed as well
#
# Uses only what perl-base has, which every Debian has.
use strict;
use warnings;

my ($folder, $wanted_database) = @ARGV;
die "usage: statements.pl FOLDER [DATABASE]\n" unless defined $folder;

binmode STDIN;
open my $out, '>:raw', "$folder/statements" or die "cannot write to $folder: $!\n";

# Words and dollar quotes as PostgreSQL's scanner has them.
my $WORD = qr/[A-Za-z_\x80-\xff][A-Za-z0-9_\$\x80-\xff]*/;
my $DOLLAR = qr/\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$/;

my $database = '';               # as of the last \connect
my $encoding;                    # as of the first SET client_encoding
my $valid_utf8 = 1;
my $backslashes_escape = 0;      # standard_conforming_strings = off, in dumps of long ago
my ($number, $copies) = (0, 0);
my @sizes;                       # [line, database, statement] for what the dump says of sizes

# The statement being read, beginning at its first token.
my ($text, $first_line, $parentheses, $atomic, $stdin_at, @words);
# What the scanner stands in, as the characters that began it ('' for none), and since which line.
my ($inside, $inside_since, $comments) = ('', 0, 0);

sub begin_statement {
	($text, $first_line, $parentheses, $atomic, $stdin_at, @words) = ('', undef, 0, 0, undef);
}

begin_statement();
while (defined(my $line = <STDIN>)) {
	if ($. == 1) {
		$line =~ s/^\xef\xbb\xbf//;
		die "it is in UTF-16, which Windows' PowerShell writes for >; let pg_dump write the file itself, with -f\n"
			if $line =~ /^(?:\xff\xfe|\xfe\xff)/;
	}
	die "it is not a text file, nor an archive of pg_dump\n" if $line =~ /\0/;
	read_line($line);
}
if ($inside ne '') {
	emit('refuse', "the file ends inside of what begins in line $inside_since: was it cut off?");
} elsif (defined $first_line) {
	end_statement();
}
for (@sizes) {
	($first_line, $database, $text) = @$_;
	emit('run', '');
}
close $out or die "cannot write to $folder: $!\n";

open my $encoding_file, '>', "$folder/encoding" or die "cannot write to $folder: $!\n";
print $encoding_file $encoding // ($valid_utf8 ? 'UTF8' : 'LATIN1'), "\n";
close $encoding_file or die "cannot write to $folder: $!\n";

sub read_line {
	my ($line) = @_;
	pos($line) = 0;
	while (pos($line) < length $line) {
		my $from = pos $line;
		if ($inside ne '') {
			leave(\$line);
		} elsif ($line =~ /\G(?:\s+|--[^\n]*)/gc) {
			# white space and comments
		} elsif ($line =~ m{\G/\*}gc) {
			($inside, $inside_since, $comments) = ('/*', $., 1);
		} elsif ($line =~ /\G\\/gc) {
			psql_command(substr $line, pos $line);
			return;
		} elsif ($line =~ /\G;/gc) {
			if ($parentheses == 0 && $atomic == 0) {
				my $has_rows = end_statement();
				begin_statement();
				# psql would read on behind the semicolon of a COPY; pg_dump writes nothing there.
				return if $has_rows;
				next;
			}
		} else {
			$first_line //= $.;
			enter(\$line);
		}
		$text .= substr $line, $from, pos($line) - $from if defined $first_line;
	}
}

# Reads one token that is not white space.
sub enter {
	my ($line) = @_;
	if ($$line =~ /\G(?:([eE])|[uU]&)?'/gc) {
		($inside, $inside_since) = ($1 || $backslashes_escape ? "e'" : "'", $.);
	} elsif ($$line =~ /\G(?:[uU]&)?"/gc) {
		($inside, $inside_since) = ('"', $.);
	} elsif ($$line =~ /\G($DOLLAR)/gc) {
		($inside, $inside_since) = ($1, $.);
	} elsif ($$line =~ /\G($WORD)/gc) {
		word(lc $1);
	} elsif ($$line =~ /\G(?:\$?\d[A-Za-z0-9_.]*|.)/gcs) {
		$parentheses++ if $& eq '(';
		$parentheses-- if $& eq ')' && $parentheses > 0;
	}
}

# Reads on inside of a string, name, comment or dollar quote, to its end or the line's.
sub leave {
	my ($line) = @_;
	my $ended;
	if ($inside eq "'") {
		$ended = $$line =~ /\G(?:[^']|'')*+'/gc;
	} elsif ($inside eq "e'") {
		$ended = $$line =~ /\G(?:[^'\\]|\\.|'')*+'/gcs;
	} elsif ($inside eq '"') {
		$ended = $$line =~ /\G[^"]*"/gc;
	} elsif ($inside eq '/*') {
		while ($comments > 0 && $$line =~ m{\G.*?(/\*|\*/)}gcs) {
			$comments += $1 eq '/*' ? 1 : -1;
		}
		$ended = $comments == 0;
	} else {
		$ended = $$line =~ /\G.*?\Q$inside\E/gcs;
	}
	if ($ended) { $inside = '' } else { pos($$line) = length $$line }
}

# What psql looks at too: COPY's stdin, and the bodies of functions in standard SQL, which have semicolons of their own.
sub word {
	my ($word) = @_;
	if ($parentheses == 0) {
		$stdin_at = length $text if $word eq 'stdin' && @words && $words[0] eq 'copy' && $words[-1] eq 'from';
		if ("@words[0 .. ($#words < 3 ? $#words : 3)]" =~ /^create (?:or replace )?(?:function|procedure)\b/) {
			if ($word eq 'begin') { $atomic++ }
			elsif ($word eq 'case') { $atomic++ if $atomic > 0 }
			elsif ($word eq 'end') { $atomic-- if $atomic > 0 }
		}
	}
	# The first tell what the statement is, the last what stands before stdin.
	if (@words < 8) { push @words, $word } else { $words[-1] = $word }
}

# Judges and writes the statement; true if rows came with it, and have been read.
sub end_statement {
	return 0 unless defined $first_line;
	my ($fate, $reason) = judge();
	if (defined $stdin_at) {
		my $file = $fate eq 'run' && wanted() ? "$folder/rows." . ++$copies : '/dev/null';
		(my $literal = $file) =~ s/'/''/g;
		substr($text, $stdin_at, length 'stdin') = "'$literal'";
		my ($line_of_copy, $complete) = ($., read_rows($file));
		emit($fate, $reason);
		$first_line = $line_of_copy;
		emit('refuse', 'the file ends inside of the rows of this COPY: was it cut off?') unless $complete;
		return 1;
	}
	emit($fate, $reason);
	return 0;
}

sub wanted {
	return !defined $wanted_database || $database eq $wanted_database;
}

# The lines up to \. go to a file.
sub read_rows {
	my ($file) = @_;
	open my $rows, '>:raw', $file or die "cannot write to $file: $!\n";
	my $complete = 0;
	while (defined(my $line = <STDIN>)) {
		if ($line =~ /^\\\.\r?\n?\z/) { $complete = 1; last }
		print $rows $line or die "cannot write to $file: $!\n";
	}
	close $rows or die "cannot write to $file: $!\n";
	return $complete;
}

sub judge {
	my $start = "@words";
	if ($start =~ /^set (?:session )?client_encoding\b/ && $text =~ /'([A-Za-z0-9_-]+)'/) {
		$encoding //= $1;
	}
	if ($start =~ /^set (?:session )?standard_conforming_strings\b/) {
		$backslashes_escape = $text =~ /\boff\b/i ? 1 : 0;
	}
	return ('pass', '')
		if $start =~ /^(?:begin|start transaction|commit|end|rollback|abort|savepoint|release)\b/
		|| $start =~ /^set (?:session authorization|(?:session |local )?role|transaction|session characteristics)\b/
		|| $start =~ /^reset (?:session authorization|role)\b/
		|| $start =~ /^(?:create|alter|drop) (?:database|tablespace|role|group)\b/
		|| $start =~ /^(?:create|alter|drop) user\b(?! mapping)/
		|| $start =~ /^(?:comment on|security label (?:for \S+ )?on) (?:database|role|tablespace|subscription)\b/
		|| $start =~ /^(?:grant|revoke)\b/ && ($text !~ /\bON\b/i || $text =~ /\bON\s+(?:DATABASE|TABLESPACE|PARAMETER)\b/i)
		|| $start =~ /^(?:vacuum|analyze|checkpoint|discard|lock|listen|notify|unlisten)\b/
		|| $start =~ /^create schema public\b/ && $text =~ /^\S+\s+\S+\s+public\s*\z/i;
	return ('refuse', 'not run: it would connect to another server') if $start =~ /^(?:create|alter) subscription\b/;
	return ('pass', '') if $start =~ /^drop subscription\b/;
	return ('refuse', 'not run: it concerns the whole server') if $start =~ /^alter system\b/;
	return ('refuse', 'not run: it reads or writes files of the server')
		if $start =~ /^copy\b/ && !defined $stdin_at || $start =~ /^load\b/;
	# Statistics, as pg_dump 18 writes them: the sizes of tables are worth having, and no older server has the functions.
	if ($start =~ /^select from pg_catalog pg_restore_relation_stats\b/) {
		my %value = $text =~ /'(schemaname|relname|relpages|reltuples)', ((?:E?'(?:[^'\\]|''|\\.)*')|[0-9.e+]+)/g;
		return ('pass', '') unless keys %value == 4;
		# Last of all: an index that is made on the empty table would set them back.
		push @sizes, [ $first_line, $database, "UPDATE pg_catalog.pg_class SET relpages = $value{relpages}::integer, reltuples = $value{reltuples}::real"
			. " WHERE relname = $value{relname} AND relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n"
			. " WHERE n.nspname = $value{schemaname})" ];
		return ('pass', '');
	}
	return ('pass', '') if $start =~ /^select from pg_catalog pg_(?:restore|clear)_(?:attribute|relation)_stats\b/;
	# Without it the index is the same, and can be made by a function.
	$text =~ s/^(create\s+(?:unique\s+)?index)\s+concurrently\b/$1/i;
	return ('run', '');
}

sub psql_command {
	my ($command) = @_;
	$command =~ s/\s+\z//;
	if ($command =~ /^(?:c|connect)\b\s*(.*)/) {
		connect_to($1);
	} elsif ($command !~ /^(?:(?:un)?restrict|echo|q?echo|pset|timing|encoding|set|unset|\.|q|quit|x|o|t|a)(?:\s|\z)/) {
		my @statement = ($text, $first_line);
		($text, $first_line) = ("\\$command", $.);
		emit('command', 'not run: a psql command; only SQL is taken from a dump');
		($text, $first_line) = @statement;
	}
	$text .= "\n" if defined $first_line;
}

# \connect name · \connect "na me" · \connect -reuse-previous=on "dbname='na me'"
sub connect_to {
	my ($arguments) = @_;
	$arguments =~ s/^-reuse-previous=\S+\s+//;
	my $name;
	if ($arguments =~ /^"((?:[^"]|"")*)"/) { ($name = $1) =~ s/""/"/g }
	elsif ($arguments =~ /^'((?:[^'\\]|''|\\.)*)'/) { ($name = $1) =~ s/''/'/g }
	else { ($name) = $arguments =~ /^(\S+)/ }
	return unless defined $name && $name ne '-';
	if ($name =~ /^dbname='((?:[^'\\]|\\.)*)'/) { ($name = $1) =~ s/\\(.)/$1/g }
	elsif ($name =~ /^dbname=(\S+)/) { $name = $1 }
	$database = $name;
}

sub emit {
	my ($fate, $reason) = @_;
	$valid_utf8 &&= utf8::decode(my $copy = $text);
	my @fields = (++$number, $first_line // $., $database, $fate, $reason, $text);
	for (@fields) {
		s/\\/\\\\/g;
		s/\n/\\n/g;
		s/\r/\\r/g;
		s/\t/\\t/g;
	}
	print $out join("\t", @fields), "\n" or die "cannot write to $folder: $!\n";
}
