"""Requests that take two or three calls: a later one needs what an earlier one returned."""

FIND_THEN_READ = """
find {name} in {repo} and [show me|tell me|print] what it says
find the file {name} in {repo} and read it [to me|]
find {name} somewhere in {repo}, then open it
locate {name} in {repo} and display its content
locate {name} in {repo}, then read it
search {repo} for a file named {name} and show its text
search for {name} in {repo} and read it out
look for {name} in {repo} and print it
look for the file {name} within {repo}; what does it contain?
where in {repo} is {name}, and what does it say?
where is {name} in {repo}? Open it
there is a {name} somewhere in {repo}, what's in it?
somewhere in {repo} I have {name}. Read it [to me|]
somewhere below {repo} lies {name}; show me the text
I don't know which folder of {repo} has {name}, but I need to read it
I forgot where {name} is in {repo}; find it and show it
I can't find {name} in {repo}. Where is it and what does it contain?
I need the content of {name}, it is in some folder of {repo}
I lost {name} in {repo}; get me its text
what does {name} say? It's somewhere in {repo}
what is in {name}? It must be somewhere under {repo}
which folder of {repo} has {name}? Open the file
in {repo} there should be {name}: find and read it
track down {name} in {repo} and tell me its content
hunt for {name} in {repo} and then show me the file
get the path of {name} in {repo} and read that file
dig up {name} from {repo} and show what is inside
{name} is hidden in {repo}. Find it, then print it
{name}, somewhere in {repo}: what does it say?
read {name} from {repo}; you have to find the folder first
open {name}, wherever it is in {repo}
show the file {name} that lies somewhere in {repo}
go look for {name} in {repo} and read what you find
""".strip()

GREP_THEN_READ = """
which file in {repo} mentions {word}? Open it
which file in {repo} mentions {word}, and what else does it say?
find the file in {repo} that mentions {word} and read it
find the file that contains {word} in {repo} and show all of it
find out which file of {repo} has the word {word}, then read the whole file
search {repo} for {word} and open the file that has it
search for {word} in {repo} and read the file it is in
grep {repo} for {word} and show me the whole file
grep for {word} in {repo}, then read the match's file
look for {word} in {repo} and print the file that contains it
look up which file in {repo} talks about {word} and read all of it
some file in {repo} talks about {word}, read it to me
some note in {repo} contains {word}; show me the full note
one of the files in {repo} has {word} in it. Show that file
I wrote about {word} somewhere in {repo}; show me that file in full
I need the full text of the file in {repo} that mentions {word}
I remember a file with {word} in {repo}. Open it for me
I want to read the file in {repo} where {word} occurs
in which file of {repo} is {word}, and what is in that file?
in {repo}, find the file about {word} and read it
where in {repo} is {word} mentioned? Read that whole file
where does {word} occur in {repo}? Show the complete file
what else is in the file of {repo} that mentions {word}?
what does the file in {repo} with {word} in it say altogether?
open the file in {repo} that has {word} in it
open whatever file in {repo} mentions {word}
read me the file of {repo} that mentions {word}
show me everything in the file of {repo} that contains {word}
print the file in {repo} where {word} is written
the file in {repo} that says something about {word}: read it in full
locate {word} in {repo} and then open the file around it
{word} is in one file of {repo}. Which one, and what does it say?
find {word} in {repo} and then show the whole file it is in
find {word} in {repo}, and read me the file around it
get me the file in {repo} that contains {word}, with all its text
get the full file from {repo} in which {word} is written
show the complete file of {repo} in which {word} comes up
check which file of {repo} has {word} and display that file
see which file in {repo} has {word}, then read it out
there is a file with {word} in {repo}; what is its content?
there must be a file about {word} in {repo}, please open it
what is the whole text of the file in {repo} that has {word}?
what does it say in the file of {repo} where {word} stands?
hunt for {word} in {repo} and open the file you find
the note about {word} in {repo}: find it and read it
look where {word} is in {repo} and show that file
display the file of {repo} that mentions {word}
let me read the file in {repo} in which {word} occurs
""".strip()

LOG_THEN_SHOW = """
show [me|] what the last commit in {repo} changed
show the diff of the latest commit in {repo}
show me the newest commit of {repo} in detail
what did the last commit [in|to|of] {repo} change?
what did the most recent commit in {repo} do?
what changed in the latest commit of {repo}?
what exactly was changed by the newest commit in {repo}?
what is in the last commit of {repo}?
which files did the last commit in {repo} touch?
which lines did the most recent commit to {repo} change?
which change came with the latest commit of {repo}?
open the last commit of {repo}
open the most recent commit in {repo} and show the patch
display the latest commit of {repo} with its diff
get the last commit of {repo} and show it
get the hash of the newest commit in {repo} and show that commit
look up the last commit in {repo} and show me its changes
look at the log of {repo} and show me the details of the newest commit
find the latest commit in {repo} and tell me what it did
find out what was changed last in {repo}, with the diff of that commit
give me the patch of the most recent commit in {repo}
give me the details of the last commit to {repo}
inspect the most recent commit of {repo}
review the last commit in {repo} for me
tell me what the newest commit in {repo} contains
tell me what was done in the latest commit of {repo}
I want to see the changes of the last commit in {repo}
I'd like to see what was committed last to {repo}, the actual changes
I need the diff of the newest commit of {repo}
someone committed to {repo}; show me what the last commit changed
the last commit in {repo}: what did it change?
the latest commit of {repo}, with all its changes
details of the last commit in {repo}?
the diff of the most recent {repo} commit, please
in {repo}, what did the final commit change?
print the changes made by the last commit in {repo}
""".strip()

READ_ZONE_THEN_TIME = """
{path} names a time zone, what time is it there?
{path} mentions a time zone. Tell me the time there
{path} has a time zone in it; how late is it in that zone?
what time is it in the [time|] zone [named|written|mentioned|given] in {path}?
what's the time in the zone that {path} mentions?
what is the current time in the timezone from {path}?
how late is it in the zone noted in {path}?
how late is it for the person in {path}? The file has the time zone
read the time zone from {path} and tell me the time there
read {path} and give me the current time in the zone it names
read {path} for the zone, then check the clock there
look in {path} for a time zone and tell me what time it is there
look up the zone in {path} and get its current time
look at {path}: which zone is it and what time is it there?
take the time zone in {path} and tell me how late it is
get the time zone out of {path}, then the time in it
get the current time for the zone that's in {path}
give me the local time of the zone written in {path}
use the time zone in {path} to tell me the current time
tell me the time in the zone {path} talks about
tell me how late it is where {path} says
check {path} for a timezone, and then what time it is there
open {path}, find the time zone and say what time it is in it
I noted a time zone in {path}. What's the time there?
I wrote the zone in {path}; what does the clock say there now?
I need the current time in the zone that {path} gives
the zone is in {path}. What time is it over there?
the time zone is written in {path}; current time there?
find out what time it is in the zone of {path}
a zone is mentioned in {path}, how late is it there at the moment?
current time in the zone from {path}?
time now, zone as in {path}
show the clock for the timezone {path} contains
what does the clock say in the zone of {path}?
what hour is it in the zone that stands in {path}?
what's the current time for whoever is in {path}?
which time is it in the zone that {path} gives?
how late is it where the person from {path} lives?
find the zone in {path} and tell me its time
find a time zone in {path} and check what time it is there
see {path} for the zone and tell me the time
see which zone {path} has and how late it is there
go to {path}, get the zone, tell me the time
say what time it is in the zone from {path}
someone wrote a time zone into {path}; what time is it there now?
{path} tells the zone, you tell me the time
{path} says where they are; what is the time there?
there is a zone in {path}; I want its current time
time check for the zone named in {path}
I have to call the person in {path}; what time is it there?
""".strip()

READ_TIME_THEN_CONVERT = """
{path} has a time, in {source}. What is it in {target}?
{path} gives a time in {source}, convert it to {target}
{path} says when it starts, {source} time. When is that in {target}?
{path} mentions a clock time ({source}); tell me when that is in {target}
read the time in {path} and convert it from {source} to {target}
read {path} and convert the time in it from {source} to {target}
read {path}; the time there is {source}, I need it in {target}
convert the time [written|given|noted] in {path} from {source} to {target}
convert the time from the file {path}, it's {source}, to {target}
take the time in {path} and translate it from {source} to {target}
take the hour noted in {path}, {source}, and give it in {target} time
translate the time in {path} from {source} into {target} time
what is the time in {path}, given in {source}, in {target}?
what is the {source} time from {path} in {target}?
when does the thing in {path} start in {target}? The time is in {source}
when it is the time in {path} in {source}, what time is it in {target}?
when is the time that {path} states ({source}) for someone in {target}?
look up the time in {path}; it is {source}, what's that in {target}?
look in {path} for the time and convert it, {source} to {target}
get the time from {path} and tell me what it is in {target}, it's in {source}
open {path}: the time there is in {source}. Convert it to {target}
the time is in {path}. Convert it from {source} to {target}
the time of the call is in {path}, {source}. When is it in {target}?
the start is written in {path} ({source}); what does a clock in {target} say then?
I wrote down a time in {path}, {source}. When is that in {target}?
I have the time in {path}, in {source}; tell me the {target} time
I'm in {target}. When is the time in {path}, which is {source}?
from {source} to {target}: the time that's noted in {path}
use the time in {path}, source {source}, target {target}
change the time in {path} from {source} to {target}
work out what the time in {path} ({source}) means in {target}
""".strip()

READ_THEN_WRITE = """
copy {path} to {copy}
copy the [text|content|contents] of {path} [to|into] {copy}
copy what {path} says into a new file {copy}
copy file {path} over to {copy}
make a copy of {path} [called|named|at] {copy}
make {copy} a copy of {path}
duplicate {path} as {copy}
duplicate the file {path} under the name {copy}
read {path} and write the same text to {copy}
read {path} and save it as {copy}
read the text of {path}, then put it into {copy}
take the text of {path} and store it in {copy}
take what's in {path} and write it to {copy}
write the content of {path} to {copy} too
write into {copy} whatever {path} contains
put the text of {path} into {copy} as well
put a copy of {path} at {copy}
save {path} again as {copy}
save the contents of {path} in {copy}
save a second version of {path}: {copy}
clone {path} to {copy}
back up {path} to {copy}
make a backup of {path} in {copy}
store what {path} says in {copy}
store a copy of {path} as {copy}
create {copy} with the same content as {path}
create a file {copy} that has the text of {path}
I need a copy of {path}, call it {copy}
I want the text in {path} to be in {copy} too
I'd like {copy} to say the same as {path}
{copy} should be a copy of {path}
{copy} should have the same text as {path}
the content of {path} is needed in {copy} as well
transfer the text from {path} to the new file {copy}
cp {path} {copy}
from {path} to {copy}: copy the text
write a copy of {path} to {copy}
reproduce {path} as {copy}
replicate the text of {path} in {copy}
repeat the text of {path} in a new file {copy}
mirror {path} to {copy}
get the text of {path} and save it to {copy}
get {path} copied to {copy}
have {path} copied into {copy}
let {copy} have the text of {path}
let {copy} be a copy of {path}
move a copy of {path} to {copy}
keep a copy of {path} in {copy}
keep the text of {path} under {copy} too
whatever is in {path} should also be in {copy}
whatever {path} says, {copy} should say too
the same text as in {path} should stand in {copy}
the text of {path} also belongs in {copy}
use the text of {path} for the new file {copy}
I want to have {path} twice, also as {copy}
I want a copy of {path} at {copy}
please put what is in {path} in {copy} too
""".strip()

READ_BRANCH_THEN_CHECKOUT = """
switch {repo} to the branch [named|mentioned|written|given] in {path}
switch {repo} to the branch that {path} names
switch branches in {repo}; the name is in {path}
check out the branch {path} mentions, in {repo}
check out the branch of {repo} that is noted in {path}
checkout in {repo}: the branch is written in {path}
read {path} and switch {repo} to the branch it names
read the branch name from {path} and check it out in {repo}
look in {path} for the branch and check it out in {repo}
look up the branch in {path}, then switch {repo} to it
get the branch name out of {path} and put {repo} on it
take the branch from {path} and check it out in {repo}
move {repo} to the branch that is in {path}
put {repo} on the branch {path} talks about
go to the branch given in {path}, repo {repo}
change {repo} to the branch that {path} says
open {path}, find the branch, switch {repo} to it
use the branch noted in {path} for {repo}, check it out
set {repo} to the branch from {path}
{path} names a branch; switch {repo} to it
{path} says which branch to use in {repo}, switch there
{repo} should be on the branch that {path} mentions
{repo} belongs on the branch from {path}, change to it
the branch name is in {path}. Check it out in {repo}
the branch I need in {repo} is written in {path}
I noted a branch in {path}, check it out in {repo}
I want {repo} on the branch I wrote down in {path}
I need to be on the branch that {path} gives, in {repo}
in {repo}, switch to whichever branch {path} tells
Could {repo} be switched to the branch from {path}?
find the branch name in {path} and switch {repo} to it
find out from {path} which branch {repo} needs and check it out
see {path} for the branch and check it out in {repo}
see which branch {path} names and put {repo} on it
get {repo} onto the branch written in {path}
get the branch from {path}, then go to it in {repo}
bring {repo} to the branch named in {path}
bring {repo} to whichever branch {path} mentions
swap {repo} to the branch that stands in {path}
turn {repo} to the branch noted in {path}
select in {repo} the branch that {path} gives
the branch for {repo} stands in {path}, switch to it
the right branch of {repo} is in {path}; go to it
someone wrote the branch into {path}; check it out in {repo}
what branch does {path} name? Switch {repo} to it
which branch is in {path}? Check it out in {repo}
have {repo} on the branch that {path} mentions
I should work on the branch from {path}, switch {repo}
{path} holds a branch name, check that out in {repo}
""".strip()

LIST_THEN_READ = """
read the only file in [the folder|] {folder}
read the one file in {folder}
read whatever file is in {folder}
open the only file in {folder}
open the single file that is in {folder}
show [me|] the only file in {folder}
show me the text of the one file in {folder}
print the single file in the folder {folder}
list {folder} and read the file [in it|you find]
list {folder}, then open the only file there
list the folder {folder} and show me what its file says
look into {folder} and read the file that is there
look in the folder {folder}; there is one file, what does it say?
see which file is in {folder} and read it [to me|]
check which file {folder} has and show its content
check the folder {folder} and open what you find
find out what file lies in {folder} and print its text
there is one file in {folder}. What does it say?
there's a single file in {folder}, tell me its content
there is just one file in the folder {folder}, read it
the folder {folder} has one file; what is written in it?
{folder} has only one file, show me what it says
{folder} holds a file. Which one, and what's in it?
I have one file in {folder}; I don't know its name, but read it
I forgot the name of the file in {folder}, please open it
what does the only file in {folder} say?
what does the file inside {folder} contain? I don't know its name
what is written in the one file in the folder {folder}?
what file is in {folder}, and what does it say?
which file is in {folder}? Read it too
which file does {folder} have, and what's its text?
tell me what the single file in {folder} says
get the name of the file in {folder} and read it
""".strip()

READ_WORD_THEN_GREP = """
{path} names a word, find it in {repo}
{path} mentions a keyword; search {repo} for it
{path} says what to look for, search for it in {repo}
read {path} and search {repo} for the word it names
read the keyword from {path} and grep {repo} for it
read {path} to learn the word, then find that word in {repo}
look in {path} for the keyword and find it in {repo}
look up the word in {path}, then search {repo} for it
look for the word from {path} in {repo}
search {repo} for the word that {path} mentions
search {repo} for the keyword [given|noted|written] in {path}
search the files of {repo} for what {path} asks about
find the keyword from {path} in {repo}
find in {repo} the word that is written in {path}
find where {repo} uses the word from {path}
grep {repo} for the word in {path}
grep for the keyword noted in {path}, in {repo}
take the keyword in {path} and look for it in {repo}
take the word from {path}; which lines in {repo} have it?
get the word out of {path} and find every line with it in {repo}
which lines in {repo} contain the word from {path}?
which files of {repo} have the keyword that {path} gives?
where in {repo} is the keyword of {path} used?
where does {repo} mention the word noted in {path}?
the word to look for is in {path}. Search {repo}
the keyword is written in {path}; find it in {repo}
I noted a keyword in {path}, where does {repo} mention it?
I wrote a word in {path}; look for that word in {repo}
I need all lines in {repo} with the word that's in {path}
use the keyword from {path} to search {repo}
open {path}, take its keyword and search {repo}
get the word from {path} and look for it in {repo}
get the keyword out of {path}, then grep {repo} for it
see {path} for the word and search {repo} for that
see which word {path} names and find it in {repo}
find out from {path} what to look for in {repo}, and look for it
open {path}, take the word, and search {repo} for it
check {path} for the keyword and look for it in {repo}
where in {repo} is the word that {path} gives?
where does {repo} mention the word from {path}?
which files in {repo} have the word noted in {path}?
does {repo} mention the word that stands in {path}?
is the keyword of {path} anywhere in {repo}?
the word is in {path}; where is it in {repo}?
the word to look for is in {path}, search {repo}
someone noted a keyword in {path}; find it in {repo}
I wrote a word into {path}; search {repo} for it
{path} holds the search word for {repo}
{path} has a word in it, grep {repo} for that word
take the word from {path} and find it in {repo}
""".strip()

READ_PATH_THEN_READ = """
{path} points to another file, read that one
{path} names another file. What does that file say?
{path} mentions a file; open the file it mentions
{path} tells where the details are, read them to me
read the file that {path} points to
read the file named in {path}
read {path} and then the file it mentions
read {path}, follow it and show the file it names
open the file that is mentioned in {path}
open {path} and then open the file it refers to
open whatever file {path} refers to
follow {path} to the file it names and read it
follow the pointer in {path} and show me the file
follow the reference in {path} and tell me what is there
show me the file {path} refers to
show me the content of the file that {path} names
print the file whose path is in {path}
look in {path} for a path and read that file
look up in {path} where it is kept, and read that file
get the path from {path} and print the file
get the file that {path} talks about
take the path in {path} and open it
what does the file that {path} refers to say?
what's in the file mentioned in {path}?
what is written in the file {path} points at?
there is a path in {path}; what's in that file?
a path is noted in {path}, show me that file's text
the file I want is named in {path}. Read it
the path is written in {path}; open that file
I noted the path in {path}, show me that file
I was told to look at {path}, it names another file: read that one
go where {path} points and read the file
use the path inside {path} and display that file
go to {path}, it names a file: read that file
get the path out of {path} and open that file
see which file {path} names and read it to me
see {path} for the path, then show that file
find the path in {path} and show me the file there
find out which file {path} means, and print it
follow {path} to the file it names
what does the file say that {path} mentions?
what is in the file whose path stands in {path}?
which file does {path} name? Show me its text
the path is in {path}; what does that file say?
the file I want is written down in {path}, open it
someone noted a path in {path}; read that file
{path} only names another file, show me that one
{path} has a path in it: open it
check {path} for the path and print the file
display the file that {path} points at
bring up the file whose path is noted in {path}
""".strip()

READ_PATH_THEN_COPY = """
copy the file that {path} points to into {copy}
copy the file named in {path} to {copy}
copy the file {path} mentions to {copy}
read {path} and copy the file it names to {copy}
read {path}, then store a copy of the file it mentions as {copy}
open {path} and save the file it refers to under {copy}
follow {path} to the file it names and copy that one to {copy}
follow the pointer in {path} and put that file's text in {copy}
save the file that {path} refers to as {copy}
save a copy of the file named in {path} in {copy}
store the text of the file {path} points at in {copy}
store a copy of the file mentioned in {path} under {copy}
make a copy of the file that {path} names, call it {copy}
make {copy} a copy of the file mentioned in {path}
put a copy of the file {path} talks about into {copy}
write the content of the file that {path} names to {copy}
write what is in the file {path} points to into {copy}
duplicate the file that {path} refers to as {copy}
back up the file named in {path} to {copy}
{path} names another file; copy that file to {copy}
{path} points to a file. Save its text in {copy}
{path} mentions a file, I need a copy of it in {copy}
there is a path in {path}; copy that file to {copy}
a path is noted in {path}, store that file's text as {copy}
the file I need is named in {path}. Copy it to {copy}
I want the file that {path} mentions copied to {copy}
I need the text of the file named in {path} in {copy} too
look up the path in {path} and copy that file into {copy}
take the path in {path} and save that file's content to {copy}
in {copy} I want the same text as in the file {path} refers to
get the path out of {path} and copy that file to {copy}
see which file {path} names and write its text to {copy}
find the path in {path} and save the file there as {copy}
follow {path} to the file it names and copy that to {copy}
the path is in {path}; put the text of that file into {copy}
the file named by {path} should be copied to {copy}
someone noted a path in {path}; copy that file to {copy}
{path} has a path in it: copy the file there to {copy}
keep a copy of the file that {path} names in {copy}
have the file {path} points to copied to {copy}
let {copy} be a copy of the file that {path} names
write to {copy} what the file mentioned in {path} says
check {path} for the path and duplicate that file as {copy}
which file does {path} name? Copy it to {copy}
""".strip()

COUNT_THEN_WRITE = """
count the lines of {path} and save the number [in|to] {copy}
count the lines in {path}, then write the number to {copy}
count how many lines {path} has and put the number into {copy}
write the number of lines of {path} to {copy}
write the line count of {path} into {copy}
write into {copy} how many lines {path} has
save the line count of {path} in {copy}
save how many lines are in {path} to {copy}
store the number of lines in {path} as {copy}
store the line count of {path} in {copy}
put the line count of {path} into {copy}
put into {copy} how many lines {path} has
note in {copy} how many lines are in {path}
note the number of lines of {path} in {copy}
record the length of {path} in lines in {copy}
record in {copy} the number of lines of {path}
how many lines does {path} have? Write the number to {copy}
how many lines are in {path}? Save the answer in {copy}
how long is {path} in lines? Put just the number into {copy}
get the line count of {path} and store it in {copy}
find out how many lines {path} has and write that number to {copy}
determine the number of lines in {path}, save it to {copy}
{copy} should contain the number of lines of {path}
{copy} should say how many lines {path} has
I need the line count of {path} in the file {copy}
I want {copy} to hold the number of lines of {path}
create {copy} with the number of lines in {path}
create a file {copy} that has the line count of {path}
run wc -l on {path} and save the number in {copy}
lines of {path}: count them and keep the number in {copy}
the line count of {path} must go into {copy}
""".strip()

TIME_THEN_WRITE = """
write the current time in {zone} to {copy}
write down in {copy} what time it is in {zone}
write the time it is now in {zone} into {copy}
save the current time in {zone} to {copy}
save the time from {zone} in {copy}
save what the clock says in {zone} to {copy}
store the present time of {zone} in {copy}
store the current {zone} time in {copy}
put the current time in {zone} into {copy}
put a time stamp for {zone} into {copy}
note in {copy} how late it is in {zone}
note the time in {zone} in the file {copy}
record the current time of {zone} in {copy}
record in {copy} what time it is in {zone}
get the time in {zone} and write it to {copy}
get the current time for {zone}, then save it in {copy}
check the time in {zone} and put it into {copy}
check the clock in {zone} and store the time as {copy}
look up the time in {zone} and save it to {copy}
what time is it in {zone}? Write it to {copy}
what's the time in {zone}? Save the answer in {copy}
how late is it in {zone}? Put it into {copy}
create {copy} with the current time in {zone}
create a file {copy} that holds the time in {zone}
{copy} should contain the current time in {zone}
{copy} should say what time it is in {zone}
I need the current {zone} time in the file {copy}
I want the time in {zone} written to {copy}
leave the current time of {zone} in {copy}
log the time in {zone} to {copy}
""".strip()

FIND_THEN_COPY = """
find {name} in {repo} and copy it to {copy}
find {name} in {repo}, read it and save the text as {copy}
find the file {name} in {repo} and put its text into {copy}
locate {name} in {repo} and save a copy as {copy}
locate {name} in {repo}, then write what it says to {copy}
look for {name} in {repo} and write its content to {copy}
search {repo} for {name} and store its text in {copy}
somewhere in {repo} is {name}; copy its content to {copy}
somewhere in {repo} there's {name}. Make a copy at {copy}
there is a {name} somewhere in {repo}, I need a copy in {copy}
I don't know where {name} is in {repo}; copy it to {copy}
I need {copy} to be a copy of {name}, which is somewhere in {repo}
I want what {name} says, wherever it is in {repo}, saved to {copy}
copy {name}, it's somewhere in {repo}, to {copy}
copy the text of {name} from some folder of {repo} to {copy}
make a copy of {name}, wherever it is in {repo}, named {copy}
track down {name} in {repo} and duplicate it as {copy}
dig up {name} from {repo} and back it up to {copy}
{name} is in some folder of {repo}; save its content as {copy}
write the text of {name} to {copy}; {name} is somewhere in {repo}
""".strip()

FIND_ZONE_THEN_TIME = """
find {name} in {repo}, it names a time zone: what time is it there?
find {name} in {repo} and tell me the time in the zone it mentions
find the file {name} in {repo} and check the time in the zone it gives
locate {name} in {repo}; what's the time in the zone it names?
locate {name} in {repo}, read the time zone and tell me the time
look for {name} in {repo}, read the zone in it and tell me how late it is there
search {repo} for {name} and tell me the current time in the zone it has
somewhere in {repo} is {name} with a time zone; what time is it there?
somewhere in {repo} there's {name}. What's the current time in the zone it mentions?
there is a {name} in some folder of {repo}; how late is it in its time zone?
I don't know where {name} is in {repo}, but it has a zone: what time is it there?
what time is it in the zone that {name} names? The file is somewhere in {repo}
what's the time in the zone from {name}, which is somewhere in {repo}?
how late is it in the time zone noted in {name}, somewhere in {repo}?
track down {name} in {repo} and give me the time in the zone written in it
{name} in {repo} holds a time zone; find it and say what time it is there
get the time zone from {name}, wherever it is in {repo}, then the time there
tell me the time in the zone of {name}; find the file in {repo} first
""".strip()
