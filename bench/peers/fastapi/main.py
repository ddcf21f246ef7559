"""Notes as the tutorials of FastAPI and SQLAlchemy would write them: OAuth2 with JWT, an async session a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pwdlib import PasswordHash
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET_KEY = "a secret of a benchmark, long enough for it"
ALGORITHM = "HS256"

# With the default of 5 s, concurrent writers are told that the database is locked.
engine = create_async_engine("sqlite+aiosqlite:///./app.db", connect_args={"timeout": 60})
session_maker = async_sessionmaker(engine, expire_on_commit=False)
password_hash = PasswordHash.recommended()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]


class Note(Base):
    __tablename__ = "notes"
    __table_args__ = (Index("notes_owner", "owner_id", "id"), Index("notes_price", "owner_id", "price"))
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    description: Mapped[str]
    price: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(timezone.utc))


class UserCreate(BaseModel):
    email: str
    password: str = Field(min_length=8)


class NoteCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(max_length=10_000)
    price: int


class NotePublic(NoteCreate):
    model_config = ConfigDict(from_attributes=True)
    id: int
    owner_id: int
    created_at: datetime


class NotePage(BaseModel):
    items: list[NotePublic]
    total: int | None


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_maker() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], session: Session) -> User:
    unauthorized = HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        user_id = int(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except jwt.InvalidTokenError:
        raise unauthorized
    user = await session.get(User, user_id)
    if user is None:
        raise unauthorized
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/users", status_code=201)
async def sign_up(new: UserCreate, session: Session) -> dict[str, int]:
    user = User(email=new.email, hashed_password=password_hash.hash(new.password))
    session.add(user)
    await session.commit()
    return {"id": user.id}


@app.post("/token")
async def sign_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], session: Session) -> dict[str, str]:
    user = await session.scalar(select(User).where(User.email == form.username))
    if user is None or not password_hash.verify(form.password, user.hashed_password):
        raise HTTPException(400, "Incorrect username or password")
    expires = datetime.now(timezone.utc) + timedelta(minutes=60)
    token = jwt.encode({"sub": str(user.id), "exp": expires}, SECRET_KEY, algorithm=ALGORITHM)
    return {"access_token": token, "token_type": "bearer"}


@app.post("/notes", status_code=201)
async def create_note(new: NoteCreate, user: CurrentUser, session: Session) -> NotePublic:
    note = Note(owner_id=user.id, **new.model_dump())
    session.add(note)
    await session.commit()
    return NotePublic.model_validate(note)


@app.get("/notes/{note_id}")
async def read_note(note_id: int, user: CurrentUser, session: Session) -> NotePublic:
    note = await session.get(Note, note_id)
    if note is None or note.owner_id != user.id:
        raise HTTPException(404)
    return NotePublic.model_validate(note)


@app.get("/notes")
async def list_notes(
    user: CurrentUser, session: Session, total: bool = True, cheaper_than: int | None = None, limit: int = 20
) -> NotePage:
    notes = select(Note).where(Note.owner_id == user.id)
    if cheaper_than is not None:
        notes = notes.where(Note.price < cheaper_than)
    count = await session.scalar(select(func.count()).select_from(notes.subquery())) if total else None
    order = Note.id.desc() if cheaper_than is None else Note.price
    found = await session.scalars(notes.order_by(order).limit(limit))
    return NotePage(items=[NotePublic.model_validate(note) for note in found], total=count)
