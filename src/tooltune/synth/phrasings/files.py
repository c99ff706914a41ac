"""Requests about files: reading, writing, finding, searching, counting."""

READ_FILE = """
read [me|] [the file|] {path}
read out {path}
read the whole [of|file] {path}
show [me|] [the file|the content of|] {path}
show me what is in {path}
show me the text of {path}
print [the contents of|the file|] {path}
open [the file|] {path} [for me|]
display [the file|] {path}
cat {path}
dump {path} here
give me the [content|contents|text] of {path}
give me {path} in full
get me the file {path}
what's in {path}?
what is in the file {path}?
what does {path} say?
what does the file {path} contain?
what is written in {path}?
what did I [write|note down] in {path}?
what did we put in {path}?
what are the contents of {path}?
which text is in {path}?
tell me what {path} says
tell me what's in {path}
let me see {path}
let me read {path}
look into {path} and tell me what it says
look at {path}
have a look inside {path}
I need the text of {path}
I need to see {path}
I'd like to read {path}
I want to know what {path} contains
I forgot what {path} says
I can't remember what I wrote in {path}
view {path}
load {path} and show it
fetch the text in {path}
pull up {path}
quote {path} [in full|]
Could I see {path}?
Can I have the content of {path}?
contents of {path}?
{path}: what does it say?
{path} - show it
the text in {path}, please
Does {path} mention anything important? Read it
Someone edited {path}, what does it say now?
In {path} there is a note. What is it?
my notes are in {path}, read them to me
tell me everything {path} contains
what can be read in {path}?
how does {path} read?
what stands in {path}?
what's written inside {path}?
what information is in {path}?
what text does {path} hold?
what have I got in {path}?
which words are in {path}?
how does the text in {path} go?
find out what {path} says
find out what is inside {path}
put the content of {path} on the screen
type out {path}
bring up [the file|] {path}
get the text from {path}
take a look at {path} for me
take a look into the file {path}
go through {path} for me
check what is in {path}
check the content of {path}
see what {path} says
reveal what's in {path}
let's look at {path}
let's see {path}
let me look into {path}
I want to see {path}
I want the content of {path}
I'm curious what {path} says
I'm trying to remember what is in {path}
I wrote something into {path}, what was it?
remind me what {path} says
is there anything in {path}? Show it
the file {path}, please
content of {path}
""".strip()

READ_FILE_PATH_MISSING = """
read< {path}~ the file> to me
show me what is in< {path}~ my file>
open< the file {path}~ a file> for me
print< {path}~ the file>
what does< {path}~ the file> say?
what's in< {path}~ my notes file>?
what did I write in< {path}~ that file>?
give me the text of< {path}~ one of my files>
let me read< {path}~ a certain file>
I want to know what< {path}~ the file I made> contains
I forgot what< {path}~ the note> says
display< the file {path}~ the file>
look into< {path}~ the document> and tell me what it says
Could I see< {path}~ the text file>?
have a look inside< {path}~ the other file>
what is written in< {path}~ the document>?
what stands in< {path}~ the file>?
what text does< {path}~ the file> hold?
find out what< {path}~ my file> says
bring up< the file {path}~ the file>
get the text from< {path}~ the file>
take a look at< {path}~ that file> for me
check the content of< {path}~ the file>
see what< {path}~ the note> says
let me look into< {path}~ the file>
I want to see< {path}~ one of my files>
I'm curious what< {path}~ this file> says
remind me what< {path}~ my note> says
show the content of< {path}~ a file>
type out< {path}~ the document>
read out< {path}~ the text file>
read me< {path}~ the file>
read aloud< {path}~ my note>
show me the whole of< {path}~ the file>
show me everything in< {path}~ that document>
show what< {path}~ the text file> says
open up< {path}~ the document> and read it
print out< {path}~ one of the files>
print everything in< {path}~ the file>
display what is in< {path}~ the note>
what do we have in< {path}~ the file>?
what is in< {path}~ this file>?
what is in the text of< {path}~ my file>?
what was in< {path}~ that file> again?
what was written in< {path}~ my notes>?
what does it say in< {path}~ the document>?
what can you read in< {path}~ the file>?
which lines are in< {path}~ the file>?
give me everything that is in< {path}~ the document>
give me the words of< {path}~ the note>
get me the text in< {path}~ a file>
I'd like to know what< {path}~ the file> says
I'd like to have a look at< {path}~ the file>
I need to know what is in< {path}~ a file>
I need the content of< {path}~ one file>
I have to read< {path}~ a document>
I don't remember what< {path}~ the file> says
I never read< {path}~ the note>, show it
let me see what< {path}~ the document> says
let me have a look at< {path}~ my file>
let me know what is in< {path}~ the file>
tell me what is written in< {path}~ the note>
tell me the text of< {path}~ the file>
look at what is in< {path}~ the file>
look up what< {path}~ the file> says
have a look at< {path}~ a file> for me
check what< {path}~ that file> says
view< the file {path}~ a file>
fetch< the file {path}~ the file> for me
find out the content of< {path}~ the document>
bring me the text of< {path}~ the file>
""".strip()

WRITE_FILE = """
write "{content}" [to|into] {path}
write "{content}" [to|into] [the file|] {path}
write the text "{content}" to {path}
write [the line|] "{content}" in a [new|] file {path}
write a file {path} with the text "{content}"
write a file {path} that says "{content}"
save "{content}" [to|as|in|under] {path}
save the [text|sentence|note] "{content}" in {path}
save this to {path}: "{content}"
store "{content}" in {path}
store the [note|text] "{content}" as {path}
put "{content}" [in|into] {path}
put the [words|line|text] "{content}" into [the file|] {path}
put this into {path}: "{content}"
create [a file|the file|] {path} with [the content|the text|] "{content}"
create {path} containing "{content}"
create a file [called|named] {path} that contains "{content}"
make a file {path} [saying|containing|that says] "{content}"
make {path} contain "{content}"
note "{content}" in {path}
note down "{content}" in [the file|] {path}
jot "{content}" down in {path}
add a new file {path} with the words "{content}"
fill {path} with "{content}"
record "{content}" in {path}
in {path}, write "{content}"
into {path} goes the text "{content}"
a file {path} should contain "{content}", [make it|create it]
a new file {path}, content "{content}"
new file {path}: "{content}"
file {path}, text "{content}", write it
"{content}" - write that to {path}
"{content}" belongs in {path}, save it there
"{content}" should be in {path}
the sentence "{content}" must be saved in {path}
I want {path} to say "{content}"
I need a file {path} that reads "{content}"
I'd like "{content}" to be kept in {path}
I have to remember "{content}", put it in {path}
keep the [note|text] "{content}" in {path}
Can "{content}" be saved to {path}?
Could I have "{content}" in a file {path}?
leave a note in {path}: "{content}"
leave the message "{content}" in {path}
drop "{content}" into {path}
let {path} say "{content}"
type "{content}" into {path}
enter "{content}" in the file {path}
set the content of {path} to "{content}"
My note for {path} is "{content}". Save it
drop the line "{content}" into {path}
place "{content}" in {path}
place the text "{content}" in the file {path}
insert "{content}" into the new file {path}
enter "{content}" into {path}
log "{content}" to {path}
set {path} to "{content}"
start a file {path} with "{content}"
start the file {path}: "{content}"
produce a file {path} with "{content}" in it
generate {path} with the text "{content}"
have {path} say "{content}"
have "{content}" written to {path}
let {path} contain "{content}"
let the file {path} say "{content}"
leave a note "{content}" in {path}
leave the text "{content}" in {path}
copy this sentence into {path}: "{content}"
make a note in {path}: "{content}"
make a file {path}, its text is "{content}"
the file {path} should say "{content}"
the text "{content}" goes to {path}
"{content}" goes into {path}
"{content}" has to be in the file {path}
"{content}", save this as {path}
for {path}: "{content}", write it please
I want to note "{content}" in {path}
I want a file {path} with "{content}"
please keep "{content}" for me in {path}
""".strip()

WRITE_FILE_CONTENT_MISSING = """
write< "{content}"~ something> to {path}
write< "{content}"~ a note> into {path}
save< "{content}"~ a text> in {path}
put< "{content}"~ my note> into {path}
create the file {path}< with the text "{content}"~ with some text>
make a file {path}< that says "{content}"~ with a sentence in it>
note< "{content}"~ something down> in {path}
leave a note in {path}<: "{content}">
record< "{content}"~ my idea> in {path}
store< "{content}"~ a reminder> in {path}
I want {path} to say< "{content}"~ something else>
add a new file {path}< with the words "{content}"~ with my text>
fill {path}< with "{content}"~ with text>
set the content of {path}< to "{content}">
place< "{content}"~ a text> in {path}
enter< "{content}"~ something> into {path}
have< "{content}"~ a sentence> written to {path}
leave< the text "{content}"~ a note> in {path}
start a file {path}< with "{content}">
make a file {path}<, its text is "{content}">
I want a file {path}< with "{content}">
I want to note< "{content}"~ something> in {path}
type< "{content}"~ some words> into {path}
make a note in {path}<: "{content}">
let {path} contain< "{content}"~ a new text>
change what {path} says<: "{content}">
overwrite {path}< with "{content}">
open a new file {path}< with "{content}">
begin a file {path}< with the line "{content}">
I need a new file {path}<, it says "{content}">
create {path}< containing "{content}">
new file {path}<: "{content}">
set up a file {path}< that reads "{content}">
produce a file {path}< with the words "{content}">
add< "{content}"~ some text> to the new file {path}
start the file {path}< with the words "{content}">
give {path} a new content<: "{content}">
""".strip()

WRITE_FILE_PATH_MISSING = """
write "{content}"< to {path}~ to a file>
save "{content}"< in {path}~ in a file>
put "{content}"< into {path}~ into a file>
store "{content}"< in {path}~ somewhere>
note down "{content}"< in {path}~ in a file>
create a file< {path}> with the text "{content}"
make a file< {path}> that says "{content}"
record "{content}"< in {path}~ for me>
keep the note "{content}"< in {path}~ in some file>
"{content}" - write that< to {path}~ to disk>
the sentence "{content}" must be saved< in {path}>
I'd like "{content}" to be kept< in {path}~ in a text file>
a new file<, {path},> with content "{content}"
drop "{content}"< into {path}~ into a new file>
place "{content}"< in {path}~ in a file>
enter "{content}"< into {path}~ into a file>
have "{content}" written< to {path}~ to a file>
leave the text "{content}"< in {path}~ in one of my files>
type "{content}"< into {path}~ into a file>
make a note<in {path}~>: "{content}"
I want to note "{content}"< in {path}>
please keep "{content}" for me< in {path}>
"{content}" has to be< in the file {path}~ in a file>
"{content}"<, save this as {path}~, save this>
put down "{content}"< in {path}>
let me keep "{content}"< in {path}~ in a text file>
file away "{content}"< in {path}>
add "{content}"< to the file {path}~ to a new file>
I have to keep "{content}"< in {path}~ in some file>
make a new file< {path}> with the line "{content}"
start a file< {path}> with "{content}"
file this<in {path}~>: "{content}"
let a file< {path}> say "{content}"
produce a file< {path}> with the words "{content}"
""".strip()

FIND_EXTENSION = """
find [all|the|] .{ext} files [in|under] {place}
find [all|every|] *.{ext} in {place}
find [all|] files ending in .{ext} [in|under|below] {place}
find everything ending with .{ext} in {place}
list [all|the] .{ext} files [in|under|below] {place}
list files with the extension .{ext} in {place}
list every *.{ext} in {place}
search {place} for .{ext} files
search {place} for files named *.{ext}
search for .{ext} files in {place}
look for .{ext} files in {place}
look for *.{ext} below {place}
locate [the|all|] .{ext} files in {place}
where are the .{ext} files in {place}?
where in {place} are .{ext} files?
where do I keep .{ext} files in {place}?
which .{ext} files are [there|] in {place}?
which .{ext} files does {place} have?
which files in {place} end in .{ext}?
which files in {place} are .{ext} files?
what .{ext} files are there in {place}?
what .{ext} files [do I have|are] in {place}?
are there [any|] .{ext} files in {place}?
does {place} [have|contain] [any|] .{ext} files?
do I have .{ext} files somewhere in {place}?
is there a .{ext} file [anywhere|somewhere|] in {place}?
in {place}, find *.{ext}
in {place}, which files have the extension .{ext}?
get me [all|the] .{ext} files of {place}
get the paths of the .{ext} files in {place}
give me the names of all .{ext} files in {place}
give me every .{ext} file in {place}
show [me|] [all|the|] .{ext} files in {place}
show me where the .{ext} files in {place} are
I need [all|the] .{ext} files in {place}
I'm looking for .{ext} files in {place}
I lost a .{ext} file somewhere in {place}, find it
tell me where the .{ext} files are in {place}
tell me which .{ext} files exist in {place}
*.{ext} in {place}?
.{ext} files in {place}?
.{ext} files in {place} please
all .{ext} files under {place}
hunt down every .{ext} file in {place}
collect the paths of .{ext} files in {place}
go through {place} and find the .{ext} files
scan {place} for *.{ext}
""".strip()

GREP = """
search for [the word|] {word} in {place}
search {place} for [the word|the text|] {word}
search all files in {place} for {word}
search through {place} for {word}
find {word} in {place}
find [the word|the text|] {word} in the files [of|in] {place}
find every line with {word} in {place}
find [all|the] lines in {place} that [contain|mention] {word}
find where {word} is [used|mentioned] in {place}
grep [for|] {word} in {place}
grep {place} for {word}
look for [the word|the text|] {word} in {place}
look for {word} in the files under {place}
look up where {place} mentions {word}
locate {word} in the text of {place}
where is {word} [mentioned|used|written] in {place}?
where does {word} [occur|appear|come up] in {place}?
where in {place} do I mention {word}?
where in {place} is the word {word}?
where did I write about {word} in {place}?
which files in {place} [mention|contain|talk about] {word}?
which file in {place} has the word {word}?
which lines in {place} [contain|mention|have] {word}?
which notes in {place} talk about {word}?
who mentions {word} in {place}?
what do the files in {place} say about {word}?
what does {place} say about {word}?
what lines of {place} have {word} in them?
is {word} [mentioned|used] [anywhere|somewhere] in {place}?
is there a line with {word} in {place}?
is there anything about {word} in {place}?
does {word} [occur|appear] in {place}?
does any file in {place} mention {word}?
does {place} mention {word} anywhere?
do I mention {word} in {place}?
did I write something about {word} in {place}?
in {place}, find the word {word}
in {place}, where is {word}?
in the files of {place}, look for {word}
show me [all|the|] lines with {word} in {place}
show me where {word} is in {place}
show every mention of {word} in {place}
list [all|the] lines that contain {word} in {place}
list the places where {word} is used in {place}
give me every line in {place} with {word}
tell me where {word} is [used|mentioned] in {place}
I need all mentions of {word} in {place}
I'm looking for {word} in {place}
I want to know where {word} comes up in {place}
{word} in {place}: which lines?
occurrences of {word} in {place}?
any mention of {word} in {place}?
check {place} for the word {word}
check if {word} is mentioned in {place}
scan {place} for [the word|] {word}
go through {place} and look for {word}
where do the files of {place} say {word}?
where can I find {word} in {place}?
where was {word} written in {place}?
which places in {place} have {word}?
which text in {place} has {word} in it?
what mentions {word} in {place}?
how often is {word} written in {place}? Show the lines
is {word} used anywhere inside {place}?
is {word} to be found in {place}?
is the term {word} in {place}?
are there lines about {word} in {place}?
are there any hits for {word} in {place}?
have I written {word} in {place}?
has anyone written about {word} in {place}?
can you find {word} in {place}?
search the folder {place} for {word}
search the text of {place}, the word is {word}
run a search for {word} in {place}
do a text search for {word} in {place}
look whether {place} has {word}
look through {place} for the term {word}
hunt for {word} in {place}
trace {word} in {place}
spot {word} in the files of {place}
get every line of {place} that has {word}
get me the lines with {word} from {place}
filter {place} for lines with {word}
print the lines of {place} that mention {word}
see where {place} uses {word}
see if {word} comes up in {place}
I lost track of where {word} is in {place}
I need to find {word} in {place}
keyword {word}, search in {place}
hits for {word} in {place}, please
""".strip()

COUNT_LINES = """
count the lines [in|of] {path}
count lines: {path}
count how many lines {path} has
how many lines [does {path} have|are in {path}|are there in {path}]?
how many lines of text are in {path}?
how many lines long is {path}?
how long is {path}, in lines?
how long is {path} (lines)?
how many rows [does {path} have|are in {path}]?
how many entries, one a line, are in {path}?
what's the line count of {path}?
what is the number of lines in {path}?
wc -l {path}
run wc -l on {path}
line count of {path}
line count for {path}?
number of lines in {path}
number of lines in {path}?
lines in {path}?
{path}: how many lines?
{path} has how many lines?
give me the line count of {path}
give me the number of lines in {path}
tell me how many lines {path} has
tell me the number of lines in {path}
tell me how long {path} is in lines
get the line count of {path}
I need the number of lines of {path}
I need to know how many lines are in {path}
I'd like to know how many lines {path} has
show me the line count of {path}
find out how many lines {path} has
check how many lines there are in {path}
check the length of {path} in lines
measure {path} in lines
determine the number of lines in {path}
Is {path} long? Count its lines
Does {path} have more than one line? Count them
print the number of lines of {path}
report how many lines {path} contains
of how many lines does {path} consist?
the lines of {path}: count them
""".strip()

LIST_FOLDER = """
list [the files in|the folder|the directory|] {folder}
list what is in the folder {folder}
list the contents of [the folder|] {folder}
list the directory {folder}
ls {folder}
run ls on {folder}
show [me|] the files in {folder}
show [me|] the [folder|directory] {folder}
show what's in the folder {folder}
show me what files the {folder} folder has
what files are in {folder}?
what files does {folder} hold?
what's in the folder {folder}?
what's inside the directory {folder}?
what is in the {folder} folder?
what is there in the directory {folder}?
what does the folder {folder} contain?
what do I have in the folder {folder}?
which files are in {folder}?
which files does the folder {folder} have?
which files lie in {folder}?
which things are in the folder {folder}?
what is stored in the folder {folder}?
tell me which files are in {folder}
tell me what the directory {folder} contains
tell me the names of the files in {folder}
give me a [list|listing] of {folder}
give me the names of all files in {folder}
give me the file list of {folder}
get the file names in {folder}
get me a listing of the folder {folder}
names of the files in {folder}
files in {folder}?
files in the folder {folder}
directory listing of {folder}
contents of the folder {folder}?
folder {folder}: what's there?
the folder {folder}, what does it hold?
open the folder {folder}
look into the folder {folder}
look inside the directory {folder} and list it
have a look at the folder {folder}
I need to see which files are in {folder}
I'd like to see the folder {folder}
I want a listing of {folder}
Can I see the files in {folder}?
let me see what files are in {folder}
display the directory {folder}
print the file names in {folder}
is the folder {folder} empty?
is there anything in the folder {folder}?
how does the folder {folder} look, which files?
what lies in {folder}?
what lives in the directory {folder}?
what is in the directory {folder}?
what do we keep in {folder}? List it
what files can I find in {folder}?
what are the files in {folder}?
what are the names of the files in {folder}?
which file names are in {folder}?
which documents are in the folder {folder}?
how does the folder {folder} look? Show its files
are there files in {folder}?
enumerate the files of {folder}
name the files in {folder}
print the names of the files in {folder}
print a listing of {folder}
display the files in {folder}
display what the folder {folder} has
show the listing of {folder}
show everything in the folder {folder}
see what is in the folder {folder}
see which files {folder} has
check the contents of the folder {folder}
check which files are in {folder}
find out which files are in {folder}
let me see the folder {folder}
let me see which files are in {folder}
I want to see what's in the directory {folder}
I want a list of the files in {folder}
I need the names of the files in {folder}
I need to know which files {folder} has
all files in {folder}, please
a list of {folder}, please
files inside {folder}?
ls for {folder}
list all files in {folder}
list everything in the folder {folder}
list the files of the directory {folder}
list what {folder} contains
give me all file names in {folder}
give me the contents of the directory {folder}
show all files in {folder}
show me what is in the directory {folder}
show me the file names in {folder}
show me the list of files in {folder}
tell me what files are in {folder}
tell me what's inside the folder {folder}
what files do I have in {folder}?
what files do we have in {folder}?
what does the directory {folder} hold?
what has the folder {folder} got in it?
which files do I have in {folder}?
which files does {folder} contain?
which files can be found in {folder}?
I'd like a list of the files in {folder}
I'd like to know what files are in {folder}
I want to know which files are in {folder}
let me know what is in the folder {folder}
look up which files are in {folder}
look what files are in {folder}
see what files are in {folder}
the files in {folder}, please
file names in {folder}?
""".strip()

HEAD = """
show [me|] the first {n} lines of {path}
show the top {n} lines of {path}
show only {n} lines from the start of {path}
show {n} lines of {path}, from the top
print the first {n} lines of {path}
print the top {n} lines of {path}
read the first {n} lines of {path}
read only {n} lines from the top of {path}
read {path}, but only the first {n} lines
display the first {n} lines [of|in] {path}
give me the first {n} lines of {path}
give me the top {n} lines of {path}
give me {n} lines from the beginning of {path}
get the first {n} lines of {path}
head -n {n} {path}
head -{n} {path}
head of {path}, {n} lines
run head -n {n} on {path}
what are the first {n} lines of {path}?
what do the first {n} lines of {path} say?
what do the top {n} lines in {path} look like?
what's in the first {n} lines of {path}?
what is written in the first {n} lines of {path}?
how does {path} begin? {n} lines are enough
how do the first {n} lines of {path} read?
which {n} lines does {path} start with?
I only need the first {n} lines of {path}
I'd like the first {n} lines of {path}
I want to see how {path} starts, {n} lines
let me see the first {n} lines of {path}
let me see the beginning of {path}, {n} lines
look at the first {n} lines of {path}
open {path} and show the first {n} lines
peek at the first {n} lines of {path}
first {n} lines of {path}
first {n} lines of {path}?
top {n} lines of {path}
the first {n} lines in {path}, please
the beginning of {path}, {n} lines
{path}: first {n} lines
{path}, lines 1 to {n}
{n} lines from the top of {path}
Can I see the first {n} lines of {path}?
tell me what the first {n} lines of {path} say
quote the first {n} lines of {path}
preview {n} lines of {path}
give a preview of {path}, {n} lines from the start
start of {path}, {n} lines
from {path}, the first {n} lines
""".strip()

TAIL = """
show [me|] the last {n} lines of {path}
show the bottom {n} lines of {path}
show only {n} lines from the end of {path}
show {n} lines of {path}, from the bottom
print the last {n} lines of {path}
print the final {n} lines of {path}
read the last {n} lines of {path}
read only {n} lines from the end of {path}
read {path}, but only the last {n} lines
display the last {n} lines [of|in] {path}
give me the last {n} lines of {path}
give me the final {n} lines of {path}
give me {n} lines from the end of {path}
get the last {n} lines of {path}
tail -n {n} {path}
tail -{n} {path}
tail of {path}, {n} lines
run tail -n {n} on {path}
what are the last {n} lines of {path}?
what do the last {n} lines of {path} say?
what do the bottom {n} lines in {path} look like?
what's in the last {n} lines of {path}?
what is written in the last {n} lines of {path}?
how does {path} end? {n} lines are enough
how do the last {n} lines of {path} read?
which {n} lines does {path} end with?
I only need the last {n} lines of {path}
I'd like the last {n} lines of {path}
I want to see how {path} ends, {n} lines
let me see the last {n} lines of {path}
let me see the end of {path}, {n} lines
look at the last {n} lines of {path}
open {path} and show the last {n} lines
last {n} lines of {path}
last {n} lines of {path}?
bottom {n} lines of {path}
the last {n} lines in {path}, please
the end of {path}, {n} lines
{path}: last {n} lines
{n} lines from the bottom of {path}
Can I see the last {n} lines of {path}?
tell me what the last {n} lines of {path} say
quote the last {n} lines of {path}
end of {path}, {n} lines
from {path}, the last {n} lines
""".strip()
