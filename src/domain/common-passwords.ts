/**
 * The thousand most common passwords of eight characters or more, most common first: from Royce Williams's list of
 * passwords in public breaches, as distributed by Django (django/contrib/auth/common-passwords.txt.gz).
 */
const LIST = `
123456789 password 12345678 password1 1234567890 iloveyou 1q2w3e4r5t qwertyuiop 1qaz2wsx myspace1 homelesspa
1q2w3e4r qwerty123 987654321 target123 1g2w3e4r zag12wsx gwerty123 asdfghjkl 123123123 princess computer
football 1234qwer sunshine iloveyou1 fuckyou1 789456123 princess1 abcd1234 11111111 passer2009 superman
football1 jordan23 12qwaszx baseball 123456789a q1w2e3r4t5y6 88888888 fqrg7cs493 michael1 blink182 qwer1234
linkedin babygirl1 q1w2e3r4 michelle liverpool j38ifubn 0123456789 iloveyou2 jennifer babygirl 147258369
jessica1 0987654321 fuckyou2 anthony1 qazwsxedc trustno1 baseball1 1111111111 basketball passw0rd samantha
chocolate asdf1234 qwerty12 charlie1 pakistan superman1 asshole1 butterfly fuk19600 12341234 sunshine1
internet alexander 1qaz2wsx3edc 29rsavoy 3rjs1la7qe 00000000 whatever qweasdzxc 1qazxsw2 hello123 password12
password2 12344321 starwars q1w2e3r4t5 brandon1 vqsablpzla jonathan 1234567891 12345qwert cjmasterinf
12345678910 a123456789 christian yuantuo2012 sojdlg123aljg mercedes victoria matthew1 million2 benjamin
diosesfiel dpbk1234 pe#5gz29ptzmse 123654789 elizabeth barcelona zaq12wsx computer1 michelle1 william1
11223344 welcome1 jasmine1 slipknot liverpool1 metallica chicken1 87654321 spiderman 0000000000 147852369
tinkerbell qwerty12345 pokemon1 butterfly1 nicholas 123qweasd danielle asdfasdf 1234554321 juventus chelsea1
chocolate1 a838hfid 1234567a freedom1 america1 741852963 999999999 qwertyui jennifer1 111222tianya 1234abcd
cocacola madison1 1password november samantha1 elizabeth1 mustang1 password123 diamond1 myspace123 qqww1122
whatever1 valentina hellokitty super123 1q2w3e4r5t6y a1b2c3d4 startfinding n0=acc3ss spongebob1 alexandra
december patricia friends1 4815162342 123hfjdk147 beautiful carolina 123456789q heather1 sebastian midnight
caroline elephant yankees1 scorpion bubbles1 fuckoff1 patrick1 lovelove cowboys1 veronica yagjecc826 iw14fi9j
september melissa1 alexander1 spongebob raiders1 12121212 qazwsx123 stephanie zxcvbnm1 iloveyou! precious
a1234567 poohbear manchester cristina jackson1 aa123456 newyork1 asdfghjkl1 richard1 monster1 destiny1
blessed1 slipknot1 emmanuel spiderman1 maverick charlotte creative softball beautiful1 brittany kristina
garfield 3odi15ngxb 421uiopy258 scooter1 1a2b3c4d steelers isabella 9876543210 123456abc myspace2 12345678a
kimberly qwert123 1029384756 snickers 1122334455 forever1 icecream cameron1 963852741 california metallica1
samsung1 1v7upjw3nt brittany1 bismillah babyboy1 qwerty123456 christian1 letmein1 danielle1 leonardo christine
gangsta1 password! arsenal1 swordfish uqa9ebw445 iloveyou12 fernando qwerty1234 hardcore twilight marlboro
sz9kqcctwy dolphin1 rockstar abc123456 123qwe123 starwars1 greenday loveyou1 tiffany1 angelina d2xyw89sxj
courtney playboy1 crystal1 darkness alejandro corvette marseille friendster lollipop password3 jonathan1
brooklyn motorola nicholas1 angel123 jackass1 portugal rainbow1 poohbear1 snowball justinbieb 1234512345
123qweasdzxc iloveme1 3d8cubaj2e shannon1 logitech pa55word remember catherine victoria1 popcorn1 ihateyou
isabelle lakers24 lizottes steelers1 password. p3rat54797 aaaaaaaa blessing rockstar1 peaches1 florida1
superstar love4ever goodluck asdfghjk thunder1 changeme santiago strawberry happy123 abcdefg1 bigdaddy
1123581321 satan666 qwert12345 iverson3 vanessa1 svetlana chester1 bullshit yourmom1 christopher loverboy
fyfcnfcbz fuckyou! azertyuiop rush2112 angelica midnight1 12345qwerty love1234 williams babygurl1 5555555555
sunflower sweetpea 55555555 greenday1 charles1 undertaker 123698745 precious1 evildick a12345678 brooklyn1
paradise sweetheart abc12345 money123 stephanie1 shopping lebron23 kawasaki inuyasha fktrcfylh 22222222
21212121 vladimir christina linkinpark facebook soccer12 polniypizdec0211 dolphins scarface maryjane qq123456
123454321 giovanni zxcvbnm123 career121 australia soccer10 password11 ig4abox4 realmadrid rebecca1 asdasdasd
westside brianna1 qw123321 southside1 getmoney1 francesco ronaldo7 пїѕпїѕпїѕпїѕпїѕпїѕ 123456aa savannah
111222333 sterling warcraft jesus123 monkey123 chicago1 courtney1 bigdaddy1 mahalkita valentin awesome1
teddybear cjkysirj apple123 alessandro gabriel1 gateway1 bestfriend champion nintendo volleyball qwerasdf
hollister1 password7 element1 chouchou passwort francesca natalie1 fishing1 princess12 abcdefgh w5txn36alfw
bitch123 mariposa gabriela cheyenne zachary1 happiness veronika antonio1 blahblah babygirl12 monkey12
111111111 engineer pass1234 virginia estrella simpsons anderson chris123 princesa grandma1 twilight1 77777777
bitches1 scarface1 godisgood 147896325 giuseppe aleksandr abcdefg123 softball1 pumpkin1 kingkong vkontakte
loveyou2 benjamin1 ladybug1 hallo123 adgjmptw cookies1 florence margarita children skittles fuckyou123
cristian soccer11 123456qwerty serenity hollywood mamapapa password01 zzzzzzzz 2012comeer panasonic password5
31415926 business inuyasha1 colorado rangers1 minecraft microsoft sabrina1 amoremio p@ssw0rd harrypotter
nirvana1 asdasd123 gangster 25802580 n8zgt5p0shw= internet1 airforce1 sample123 groupd2013 flowers1 icecream1
vrbgqns997 christmas dbrnjhbz superstar1 drowssap kathleen bulldog1 cupcake1 christina1 lasvegas westside1
qti7zxh18u frankie1 babydoll poiuytrewq megaparol12345 johncena1 redneck1 marshall terminator rammstein
truelove security jackson5 football12 india123 september1 19871987 192837465 snickers1 myspace! admin123
123456789m 1qaz1qaz 321654987 shithead 123456789z scotland a1s2d3f4 welcome123 motdepasse kimberly1 alexandre
killer123 spencer1 phoenix1 zaq1xsw2 runescape1 francisco chocolat jesus777 asdfjkl: casanova 99999999
carpediem mitchell franklin stonecold iloveyou. alejandra 19851985 christophe 12369874 rhbcnbyf jesuschrist
handsome muhammad aaaaaaaaaa maxwell1 g9l2d1fzpy margaret anastasia babygirl2 savannah1 sweetie1 platinum
1234567q idontknow 123456654321 passport d1lakiss katherine hotmail1 wolverine diwtgm8492 patches1 jamesbond
snowball1 123321123 cutiepie gangster1 valentine cambiami hercules anhyeuem beatrice 69696969 14789632
green123 trouble1 19841984 comeon11 myspace12 goldfish james123 maradona winston1 asdfghjkl: 19861986 lawrence
amsterdam diamonds mercedes1 bulldogs soccer13 dragonball 1234asdf 135792468 yahoo.com hollywood1 forever21
success1 test1234 trinity1 einstein princess2 123456123 omsairam harrison onelove1 ihateyou1 buttercup
cocacola1 johncena nathalie 1qa2ws3ed infinity soccer123 wordpass timothy1 runescape argentina stargate
penelope hahahaha scoobydoo stephen1 redskins georgia1 zxcv1234 colombia 7894561230 19891989 swimming orlando1
jacket025 dinosaur nonmember lacrosse ciaociao qwerty321 digital1 maryjane1 nothing1 ilovegod thuglife
trfnthbyf asdqwe123 19921992 123789456 summer08 paintball1 pokemon123 football2 sexybitch1 sureno13 kittycat
password4 telechargement cleopatra tequiero shithead1 gordon24 qweasd123 bullshit1 qazwsx12 sebastian1
ilovejesus david123 monique1 19821982 godzilla 123456123456 19801980 butthead elephant1 cutiepie1 baseball12
katerina password13 11112222 sexygirl1 11235813 youbye123 porsche1 martinez buddy123 pineapple panthers
peterpan pa55w0rd allison1 teddybear1 birthday houston1 startrek fuckyou69 vincent1 federico napoleon mountain
smoke420 qazxswedc friendship golfcourse babygurl mohammed charmed1 chopper1 drummer1 iloveme2 12301230
music123 michigan packers1 wildcats x4ivyga51f skittles1 isabella1 19831983 christine1 raymond1 bradley1
naruto123 qwe12345 9-11-1961 asd123456 catalina iloveyou3 13131313 123456789s spitfire something panther1
barcelona1 123456987 bluebird 6hbf28w791 sexygirl vampires pussycat charlotte1 strength moonlight carolina1
cdtnkfyf myspace. 1loveyou 10203040 hardcore1 10101010 firebird fordf150 johnson1 tnk0mk16vx medicine
password10 h1xp2z2duk drpepper baseball2 password0 spartan117 ilovehim1 19951995 66666666 yfdbufnjh10305070
blackberry mypassword dragon123 guinness tiger123 darkangel salvador natasha1 ferrari1 lilwayne1 melanie1
jaimatadi thebest1 qwerty11 abigail1 indonesia pebbles1 predator dearbook aobo2010 genesis1 cassandra lovelife
penguin1 devil666 personal skateboard alabama1 aquarius sporting ka_djkhjsy6 montana1 cooldude remember1
19881988 fuku00198 fernanda bearshare newport1 12131415 jeremiah 20102010 1234567890q fuckme69 alejandro1
123qwerty budlight1 lorraine 44444444 asdfasdf1 capricorn blondie1 evony192 cherokee mexican1 vampire1
blablabla darkness1 aaliyah1 kenneth1 babyblue 12qw23we assassin wrestling1 daniel123 veronica1 westlife
cricket1 summer09 dragons1 dickhead azerty123 sk84life formula1 testtest watermelon defender
пїѕпїѕпїѕпїѕпїѕпїѕпїѕ explorer dragon12 babylove 14531453 federica dumbass1 passer2011 myspace3 monalisa
agent007 dominique sapphire password9 killer12 alexandra1 papillon teacher1 cheyenne1 monkeys1 dolphins1
miranda1 jeffrey1 tokiohotel 19941994 1234567899 kissmyass sebastien england1 wangyut2 ekaterina lucky123
wrestling pitbull1 19931993 death666 lollipop1 shadow12 33333333 getmoney salvatore 123456asd jamaica1
panthers1 19901990 idontknow1 blahblah1 american special1 123456789j loverboy1 9999999999 1myspace 19811981
123456qwe kkkkkkkk abcde12345 dodgers1 1princess 369258147 987456321 karolina justice1 iloveyou7 kitty123
dragonfly bluefish nightmare qazwsxedcrfv bollocks sweetpea1 thailand dalejr88 broncos1 bulldogs1 qweqweqwe
buttercup1 master123 dominic1 password00 babydoll1 lindsey1 hotstuff ronaldinho loser123 password8 stellina
summer07 february candy123 newlife1 redwings justdoit aspirine 19911991 fireball lilmama1 valentino geronimo
lovebug1 password22 rolltide password69 godislove yousuck1 pakistan1 qawsedrf viktoria mommy123 19781978
charlene shadow123
`

export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(LIST.trim().split(/\s+/))
